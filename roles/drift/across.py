"""What differs between hosts: the registry's nodes, each proxy's list, the ensemble's health."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import suppress

import gevent
from gevent.pool import Pool
from pyinfra.api import State

from roles.container.instance import serving
from roles.container.spec import PART_LABEL
from roles.drift.model import Finding, Identity, Kind
from roles.proxy import plan as proxy
from roles.proxy.status import TellingProxy, listed_engines, telling_proxies
from roles.registry import plan as registry
from roles.registry.node import endpoint_of, node
from roles.registry.registrants import Registrant, registrants
from roles.registry.rollout import modes
from roles.registry.session import Registry, session
from roles.run.address import split_endpoint
from roles.run.away import has_registry
from roles.run.connecting import AT_ONCE
from roles.run.fleet import Fleet
from roles.soa_engine import plan as soa_engine

BELIEVED_S = 15
"""How long something has to stand before it is told: an election, or a step of a rollout, is over.

Twice as long is looked at the most: one slow answer hides what another look would have told.
Longer than the session of who has just ended (10 s): his node is there for so long.
"""
PAUSE_S = 1
MOST_ASKED = 3
"""Through how many hosts the registry is asked, before it is taken to be silent."""


def differences(state: State, fleet: Fleet, unread: Collection[str]) -> list[Finding]:
    """Ask the registry and the proxies, and return what differs for as long as `BELIEVED_S`.

    `unread` are the hosts that are none of the fleet's members: whose node they might have made
    is not judged.
    """
    if not fleet.members or not has_registry(fleet):
        return []
    until, since = 0.0, dict[Identity, float]()
    while True:
        found, now = _look(state, fleet, unread), time.monotonic()
        until = until or now + 2 * BELIEVED_S  # the first look, at a registry that is away, is long
        since = {one.identity: since.get(one.identity, now) for one in found}
        stood = [one for one in found if now - since[one.identity] >= BELIEVED_S]
        if len(stood) == len(found) or now > until:
            return stood
        gevent.sleep(PAUSE_S)


def _look(state: State, fleet: Fleet, unread: Collection[str]) -> list[Finding]:
    """Ask the ensemble, the proxies and the registry side by side; each answers on its own."""
    asked = [
        lambda: list(_ensemble(state, fleet)),
        lambda: _lists(state, fleet),
        lambda: _registered(state, fleet, unread),
    ]
    return [found for each in Pool(len(asked)).map(lambda ask: ask(), asked) for found in each]


def _registered(state: State, fleet: Fleet, unread: Collection[str]) -> list[Finding]:
    """Read the registry through the first host that reaches it."""
    for via in fleet.members[:MOST_ASKED]:
        host = state.inventory.get_host(via.name)
        with suppress(OSError), session(host, fleet.registry_connection) as asked:
            return list(_nodes(fleet, asked, is_whole=not unread))
    place = fleet.registry_connection
    return [Finding(None, "registry", place, "answers", "does not answer", "missing")]


def _ensemble(state: State, fleet: Fleet) -> Iterator[Finding]:
    """Of our own ensemble: every server serves, and one of them leads."""
    servers = fleet.registry_servers
    found = modes(state, servers)
    for name, said in found.items():
        if said is None:
            yield Finding(name, registry.ROLE, "ensemble", "serves", "serves nobody", "missing")
    leaders = [name for name, said in found.items() if said in ("leader", "standalone")]
    if len(leaders) > 1:
        listed = ", ".join(leaders)
        yield Finding(
            None, registry.ROLE, "ensemble", "one leader", f"several: {listed}", "differs"
        )


def _nodes(fleet: Fleet, asked: Registry, is_whole: bool) -> Iterator[Finding]:
    """Who is not registered though he runs and nobody has drained him; and who is, beside those."""
    parts = list(registrants(fleet))
    for folder in sorted({node(each.pattern, "x:1").folder for each in parts}):
        names = asked.names(folder)
        if names is None:
            raise ConnectionError("the registry does not tell who is registered")
        here = [each for each in parts if node(each.pattern, "x:1").folder == folder]
        for each in here:
            if each.node and each.node.name not in names and not each.member.drained:
                path = f"{folder}/{each.node.name}"
                yield Finding(each.member.name, each.role, path, "registered", "absent", "missing")
        known = {each.node.name for each in here if each.node}
        known |= {node(each.pattern, each.usual_name).name for each in here if _is_renamed(each)}
        for name in sorted(names - known):
            owner = next((each.member for each in here if _is_of(each, name)), None)
            is_told = not owner.observed.hides_containers if owner else is_whole
            if is_told:
                kind: Kind = "stale" if owner else "foreign"
                host, path = owner.name if owner else None, f"{folder}/{name}"
                yield Finding(host, here[0].role, path, "absent", "registered", kind)


def _is_renamed(registrant: Registrant) -> bool:
    """Whether a part runs under another name: that is told of its container, its node is used."""
    ours = (c for c in registrant.member.observed.containers if c.running)
    return registrant.node is None and any(
        c.labels.get(PART_LABEL) == registrant.role for c in ours
    )


def _is_of(registrant: Registrant, name: str) -> bool:
    """Whether a node has been made on this host: it has its address."""
    place = endpoint_of(registrant.pattern, name)
    return bool(place) and split_endpoint(str(place))[0] == str(registrant.member.address)


def _lists(state: State, fleet: Fleet) -> list[Finding]:
    """What each proxy lists: every engine in service, as up."""
    wanted = [
        soa_engine.name_of(member, instance)
        for member in fleet.in_service(soa_engine.ROLE)
        if (instance := serving(member.observed, soa_engine.engine(member).container))
    ]

    def ask(telling: TellingProxy) -> list[Finding]:
        listing = listed_engines(state, telling)
        if listing is None:
            return [_of_proxy(telling, telling.status_path, "answers", "does not answer")]
        found = {name: listing.engines.get(name) for name in wanted}
        return [
            _of_proxy(telling, f"engine {name}", "up", entry.state if entry else "not listed")
            for name, entry in found.items()
            if entry is None or entry.state != "up"
        ]

    asked = [telling for telling in telling_proxies(fleet) if not fleet[telling.name].drained]
    return [found for each in Pool(AT_ONCE).map(ask, asked) for found in each]


def _of_proxy(telling: TellingProxy, path: str, wanted: str, found: str) -> Finding:
    return Finding(telling.name, proxy.ROLE, path, wanted, found, "missing")
