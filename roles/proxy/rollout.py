"""When a proxy may go, and how it is proven: callers find it, and it lists every engine as up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyinfra.api import Host, State

from roles.container.exchange import DOCKER_S
from roles.container.instance import Instance
from roles.container.rollout import Rollout, at_once, prove_steady
from roles.observed import channel
from roles.proxy.drain import departing
from roles.proxy.plan import ROLE, container, name_of, proxy, successor
from roles.proxy.status import Listing, TellingProxy, listed_engines, telling_proxies, telling_proxy
from roles.registry.node import node
from roles.registry.session import session
from roles.run.conductor import Away, wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import ROLE as ENGINE
from roles.soa_engine.plan import running_name

READY_S = 10


@contextmanager
def aside(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """See that another proxy answers, before this one is taken away; it drains itself at SIGTERM.

    Of proxies that do not tell their state nothing is known.
    """
    host = state.inventory.get_host(member.name)
    if len(fleet.in_service(ROLE)) == 1:
        host.log("its proxy is the only one: callers will notice that it goes")
    others = [p for p in telling_proxies(fleet) if p.name not in away | {member.name}]

    def missing() -> str | None:
        if any(listed_engines(state, other) is not None for other in others):
            return None
        named = ", ".join(other.name for other in others)
        return f"none of {named} answers, so this proxy can't be taken away"

    if others:
        wait_until(host, missing, READY_S)
    yield


def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Wait until the proxy is registered and lists every engine that runs as up."""
    host = state.inventory.get_host(member.name)
    part = proxy(member)
    if part.status is None and part.registration is None:
        host.log("what the proxy knows is not provable: it declares no status and no registration")
        prove_steady(state, host, instance.name)
    asked = telling_proxy(member, instance)
    if asked:
        _prove_listing(state, fleet, member, instance, asked)
    if part.registration:
        place = node(part.registration, name_of(member, instance))
        with session(host, fleet.registry_connection) as registry:

            def unregistered() -> str | None:
                is_there = registry.has(place.folder, place.name)
                return None if is_there else f"{place.name} is not registered"

            wait_until(host, unregistered, part.ready_timeout_s)


def _prove_listing(
    state: State, fleet: Fleet, member: Member, instance: Instance, asked: TellingProxy
) -> None:
    """Wait until this very container lists every engine as up.

    Beside a predecessor either of the two may answer: what started before the container is the
    other.
    """
    host = state.inventory.get_host(member.name)
    started_at = _started_at(state, host, instance) if proxy(member).handover else ""
    engines = [running_name(other) for other in fleet.in_service(ENGINE)]

    def unlisted() -> str | None:
        listing = listed_engines(state, asked)
        if listing is None:
            return "the proxy does not answer"
        if listing.since and listing.since[:26] < started_at:
            return "the proxy that is to be replaced answers, the new one not yet"
        return _missing(listing)

    def _missing(listing: Listing) -> str | None:
        listed = listing.engines
        wrong = [n for n in engines if n and (n not in listed or listed[n].state != "up")]
        return f"the proxy does not list {', '.join(wrong)} as up" if wrong else None

    wait_until(host, unlisted, proxy(member).ready_timeout_s)


def _started_at(state: State, host: Host, instance: Instance) -> str:
    """When a container was started, by its host's clock, to the microsecond."""
    look = ["docker", "inspect", "--format", "{{.State.StartedAt}}", instance.name]
    return channel.run(state, host, look, timeout_s=DOCKER_S).text[:26]


def _leave_gaps(members: list[Member]) -> bool:
    """Whether one of these proxies is away while it is replaced."""
    return not all(proxy(member).handover for member in members)


@contextmanager
def _departing(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """The same, and nobody calls this one any more."""
    with (
        aside(state, fleet, member, instance, away),
        departing(state, fleet, member, instance, away),
    ):
        yield


ROLLOUT = Rollout(
    ROLE,
    container,
    prove=prove,
    aside=aside,
    departing=_departing,
    successor=successor,
    relieved=at_once,
    one_at_a_time=_leave_gaps,
)
"""One whose successor has its listeners can go at once."""
