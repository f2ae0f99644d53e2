"""What a proxy itself tells of the engines that it knows."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass

from gevent.pool import Pool
from pyinfra.api import State

from roles.observed.tunnel import forwarded
from roles.proxy.plan import ROLE, proxy
from roles.run.fleet import Fleet, Member

ASK_S = 3
AT_ONCE = 20


@dataclass(frozen=True)
class ListedEngine:
    """An engine as one proxy sees it. `state` is `up`, `down`, `draining`..."""

    state: str
    registered: bool
    in_flight: int


Listing = dict[str, ListedEngine]
"""A proxy's engines by `ADDRESS:PORT`."""


def listed_engines(state: State, member: Member, status_port: int) -> Listing | None:
    """Return what a proxy lists; None where it does not answer.

    Only for proxies that declare a status endpoint.
    """
    status = proxy(member).status
    assert status is not None, f"the proxy of {member.name} declares no status"
    host = state.inventory.get_host(member.name)
    with forwarded(host, str(member.own_address), status_port) as (address, port):
        connection = http.client.HTTPConnection(address, port, timeout=ASK_S)
        try:
            connection.request("GET", status.path)
            answer = json.loads(connection.getresponse().read())
            return {
                engine["address"]: ListedEngine(
                    engine["state"], engine["registered"], engine["in_flight"]
                )
                for service in answer["services"].values()
                for engine in service["engines"]
            }
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return None
        finally:
            connection.close()


def telling_proxies(fleet: Fleet) -> dict[str, int]:
    """The hosts whose proxy runs and tells its state, with the port on which it does so now."""
    found = {}
    for member in fleet.running(ROLE):
        running = member.observed.container(proxy(member).container)
        status = proxy(member).status
        if status and running and running.running:
            port = running.environment.get("OSP_STATUS_PORT", "")
            found[member.name] = int(port) if port.isdecimal() else status.port
    return found


def ask_proxies(state: State, fleet: Fleet, judge: Callable[[Listing], str | None]) -> str | None:
    """Have every proxy that tells its state judged; return what the first says that is not content.

    A proxy that runs but does not answer is not content.
    """
    ports = telling_proxies(fleet)

    def ask(name: str) -> str | None:
        listing = listed_engines(state, fleet[name], ports[name])
        found = "does not answer" if listing is None else judge(listing)
        return f"the proxy of {name} {found}" if found else None

    return next((answer for answer in Pool(AT_ONCE).map(ask, ports) if answer), None)
