"""What the proxies themselves tell of the engines that they know."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gevent.pool import Pool
from pyinfra import logger
from pyinfra.api import State

from roles.container.instance import Instance, serving
from roles.observed.tunnel import forwarded, reaches
from roles.proxy.plan import ROLE, name_of, proxy
from roles.run.address import split_endpoint
from roles.run.fleet import Fleet, Member

ASK_S = 3
AT_ONCE = 20

Place = tuple[str, int]
"""An address and a port, as the host itself sees them."""


@dataclass(frozen=True)
class ListedEngine:
    """An engine as one proxy sees it. `state` is `up`, `down`, `draining`..."""

    state: str
    registered: bool
    in_flight: int


@dataclass(frozen=True)
class Listing:
    """What one proxy lists. `since`: its process started, as `2026-11-24T18:00:00.000000Z`."""

    engines: Mapping[str, ListedEngine]
    """By `ADDRESS:PORT`."""
    since: str = ""


def listed_engines(state: State, member: Member, place: Place) -> Listing | None:
    """Return what the proxy whose status is told at `place` lists; None where it does not answer.

    Only for proxies that declare a status endpoint.
    """
    status = proxy(member).status
    assert status is not None, f"the proxy of {member.name} declares no status"
    host = state.inventory.get_host(member.name)
    with forwarded(host, *place) as (address, port):
        connection = http.client.HTTPConnection(address, port, timeout=ASK_S)
        try:
            connection.request("GET", status.path)
            answer = json.loads(connection.getresponse().read())
            engines = {
                engine["address"]: ListedEngine(
                    engine["state"], engine["registered"], engine["in_flight"]
                )
                for service in answer["services"].values()
                for engine in service["engines"]
            }
            return Listing(engines, str(answer.get("since", "")))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return None
        finally:
            connection.close()


def telling_proxies(fleet: Fleet) -> dict[str, Place]:
    """The hosts whose proxy runs and tells its state, with where it does so now."""
    found = {}
    for member in fleet.running(ROLE):
        running = serving(member.observed, proxy(member).container)
        status = proxy(member).status
        if status and running:
            port = running.environment.get("OSP_STATUS_PORT", "")
            found[member.name] = (
                _listens_at(member, running),
                int(port) if port.isdecimal() else status.port,
            )
    return found


def _listens_at(member: Member, running: Instance) -> str:
    """The address of a proxy that runs, which may not be the one that is wanted now.

    It listens where it was told that it is, unless a router translates that.
    """
    told = running.environment.get("EXPORT_IP", "")
    is_own = any(str(address.ip) == told for address in member.observed.addresses)
    return told if is_own else str(member.own_address)


def ask_proxies(state: State, fleet: Fleet, judge: Callable[[Listing], str | None]) -> str | None:
    """Have every proxy that tells its state judged; return what the first says that is not content.

    One that does not answer is not content as long as a peer can connect to it: it may serve. One
    that none can connect to is left out, and named.
    """
    places = telling_proxies(fleet)

    def ask(name: str) -> str | None:
        listing = listed_engines(state, fleet[name], places[name])
        if listing is not None:
            found = judge(listing)
            return f"the proxy of {name} {found}" if found else None
        peer = _peer_that_reaches(state, fleet, name)
        if peer is None:
            logger.warning(f"{name}: no peer reaches its proxy any more: it is left out")
            return None
        return f"the proxy of {name} does not tell its state, but {peer} can connect to it"

    return next((answer for answer in Pool(AT_ONCE).map(ask, places) if answer), None)


def _peer_that_reaches(state: State, fleet: Fleet, name: str) -> str | None:
    """Another host that can connect to a proxy's own port; where there is no other, its own."""
    member = fleet[name]
    running = serving(member.observed, proxy(member).container)
    if running is None:
        return None
    place = split_endpoint(name_of(member, running))
    peers = [other.name for other in fleet if other.name != name] or [name]

    def reached(peer: str) -> bool:
        return reaches(state.inventory.get_host(peer), *place, ASK_S)

    found = Pool(AT_ONCE).map(reached, peers)
    return next((peer for peer, is_so in zip(peers, found, strict=True) if is_so), None)
