"""What the proxies themselves tell of the engines that they know."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from gevent.pool import Pool
from pyinfra import logger
from pyinfra.api import State

from roles.container.instance import Instance, serving
from roles.observed.holding import dropped
from roles.observed.tunnel import forwarded, reaches
from roles.proxy.plan import ROLE, name_of, proxy
from roles.registry.session import Registry
from roles.run.address import split_endpoint
from roles.run.conductor import NotProven
from roles.run.fleet import Fleet, Member

ASK_S = 3
AT_ONCE = 20

_NO_LISTING = (ValueError, LookupError, TypeError, AttributeError)
"""What an answer of another form leads to."""


@dataclass(frozen=True)
class ListedEngine:
    """An engine as one proxy sees it. `state` is `up`, `down`, `draining`..."""

    state: str
    registered: bool
    in_flight: int
    served: int = 0


@dataclass(frozen=True)
class Listing:
    """What one proxy lists. `since`: its process started, as `2026-11-24T18:00:00.000000Z`."""

    engines: Mapping[str, ListedEngine]
    """By `ADDRESS:PORT`."""
    since: str = ""


@dataclass(frozen=True)
class TellingProxy:
    """A proxy that tells its state, and from where it is asked."""

    name: str
    """Its host's, or `ADDRESS:PORT` where it runs on none that was read."""
    via: str
    """The host that it is asked through: its own where that was read."""
    endpoint: str
    """Where it serves, `ADDRESS:PORT`."""
    address: str
    """Where it tells its state, as `via` reaches it."""
    status_port: int
    status_path: str


def listed_engines(state: State, proxy: TellingProxy) -> Listing | None:
    """Return what a proxy lists; None where it does not answer."""
    host = state.inventory.get_host(proxy.via)
    with forwarded(host, proxy.address, proxy.status_port) as (address, port):
        connection = http.client.HTTPConnection(address, port, timeout=ASK_S)
        try:
            connection.request("GET", proxy.status_path)
            answer = json.loads(connection.getresponse().read())
            engines = {
                engine["address"]: ListedEngine(
                    engine["state"],
                    engine["registered"],
                    engine["in_flight"],
                    int(engine.get("served", 0)),
                )
                for service in answer["services"].values()
                for engine in service["engines"]
            }
            return Listing(engines, str(answer.get("since", "")))
        except (OSError, http.client.HTTPException, *_NO_LISTING):
            return None
        finally:
            connection.close()


def telling_proxies(fleet: Fleet) -> list[TellingProxy]:
    """The fleet's proxies that run and tell their state, on the ports where they do so now."""
    serve = [(m, serving(m.observed, proxy(m).container)) for m in fleet.running(ROLE)]
    found = (telling_proxy(member, instance) for member, instance in serve if instance)
    return [proxy for proxy in found if proxy]


def telling_proxy(member: Member, instance: Instance) -> TellingProxy | None:
    """How a host's proxy is asked; None where it tells nothing."""
    status = proxy(member).status
    if status is None:
        return None
    told = instance.environment.get("OSP_STATUS_PORT", "")
    return TellingProxy(
        name=member.name,
        via=member.name,
        endpoint=name_of(member, instance),
        address=_listens_at(member, instance),
        status_port=int(told) if told.isdecimal() else status.port,
        status_path=status.path,
    )


def _listens_at(member: Member, instance: Instance) -> str:
    """The address of a proxy that runs, which may not be the one that is wanted now.

    It listens where it was told that it is, unless a router translates that.
    """
    told = instance.environment.get("EXPORT_IP", "")
    is_own = any(str(address.ip) == told for address in member.observed.addresses)
    return told if is_own else str(member.own_address)


def unlisted_proxies(fleet: Fleet, registry: Registry) -> list[TellingProxy]:
    """The proxies that the registry knows and the fleet does not: of hosts that can't be reached by
    SSH, or of another inventory. They may call our engines all the same.

    Found are those that register as `ADDRESS:PORT` with their `status_port`.

    Raises:
        NotProven: the registry does not tell its proxies.
    """
    telling = [m for m in fleet.running(ROLE) if proxy(m).status and proxy(m).registration]
    known = {found.endpoint for found in telling_proxies(fleet)}
    found: dict[str, TellingProxy] = {}
    for member in telling:
        folder = str(proxy(member).registration).removesuffix("/{address}:{port}")
        names = registry.names(folder)
        if names is None:
            raise NotProven("the registry does not tell which proxies there are")
        for name in names - known - found.keys():
            asked = _registered_proxy(member, name, registry.data(f"{folder}/{name}"))
            found.update({name: asked} if asked else {})
    return list(found.values())


def _registered_proxy(via: Member, name: str, told: Mapping[str, object]) -> TellingProxy | None:
    """A proxy of which no more is known than its node."""
    status, port = proxy(via).status, told.get("status_port")
    try:
        address, _ = split_endpoint(name)
        ip_address(address)
    except ValueError:
        return None
    if status is None or not isinstance(port, int) or isinstance(port, bool):
        return None
    return TellingProxy(name, via.name, name, address, port, status.path)


def ask_proxies(
    state: State,
    fleet: Fleet,
    proxies: Sequence[TellingProxy],
    judge: Callable[[Listing], str | None],
) -> str | None:
    """Have every proxy judged; return what the first says that is not content.

    One that does not answer is not content as long as a peer can connect to it: it may serve. One
    that none can connect to is left out, and named.
    """

    def ask(proxy: TellingProxy) -> str | None:
        listing = listed_engines(state, proxy)
        if listing is not None:
            found = judge(listing)
            return f"the proxy of {proxy.name} {found}" if found else None
        reached = _reached_by_peers(state, fleet, proxy)
        peer = next((name for name, is_so in reached.items() if is_so), None)
        silent = f"the proxy of {proxy.name} does not tell its state"
        if peer:
            return f"{silent}, but {peer} can connect to it"
        if None in reached.values():
            return f"{silent}, and not every peer can be asked whether it serves"
        logger.warning(f"{proxy.name}: no peer reaches its proxy any more: it is left out")
        return None

    return next((answer for answer in Pool(AT_ONCE).map(ask, proxies) if answer), None)


def _reached_by_peers(state: State, fleet: Fleet, proxy: TellingProxy) -> dict[str, bool | None]:
    """Which other hosts can connect to a proxy's own port; where there is no other, its own.

    None for a host that can't be asked. One that may be switched off need not be: it is drained, or
    the run goes on without it.
    """
    place = split_endpoint(proxy.endpoint)
    peers = [other.name for other in fleet if other.name != proxy.name] or [proxy.via]

    def reached(peer: str) -> bool | None:
        return reaches(state.inventory.get_host(peer), *place, ASK_S)

    found = dict(zip(peers, Pool(AT_ONCE).map(reached, peers), strict=True))
    off = {m.name for m in fleet if m.drained} | dropped(state.inventory)
    asked = {peer: is_so for peer, is_so in found.items() if is_so is not None or peer not in off}
    return asked or found
