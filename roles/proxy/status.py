"""What a proxy itself tells of the engines that it knows."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from pyinfra.api import State

from roles.observed.tunnel import forwarded
from roles.proxy.plan import proxy
from roles.run.fleet import Member

ASK_S = 3


@dataclass(frozen=True)
class ListedEngine:
    """An engine as one proxy sees it. `state` is `up`, `down`, `draining`..."""

    state: str
    registered: bool
    in_flight: int


def listed_engines(state: State, member: Member) -> dict[str, ListedEngine] | None:
    """Return a proxy's engines by `ADDRESS:PORT`; None where it does not answer.

    Only for proxies that declare a status endpoint.
    """
    status = proxy(member).status
    assert status is not None, f"the proxy of {member.name} declares no status"
    host = state.inventory.get_host(member.name)
    with forwarded(host, str(member.address), status.port) as (address, port):
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
