"""How an engine is drained, and how its return is proven: by the registry and by every proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from pyinfra.api import Host, State

from roles.container import commands
from roles.container.instance import Instance
from roles.container.replacement import DOCKER_S
from roles.container.rollout import Rollout, prove_steady
from roles.observed import channel
from roles.proxy.status import TellingProxy, ask_proxies, telling_proxies, unlisted_proxies
from roles.registry.node import Node, node
from roles.registry.session import Registry, session
from roles.run.conductor import Away, wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine import judges
from roles.soa_engine.plan import ROLE, container, engine, name_of, running_name, successor
from roles.soa_engine.reach import prove_reached

READY_S = 10
LEFT_S = 10


@contextmanager
def aside(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """Have nobody call an engine any more: every proxy has let it go, and it has left.

    Not before every proxy has another to turn to. Ended when the engine is stopped, or serves on.

    Raises:
        NotProven: a proxy, or the registry, did not let it go in time; it is then asked back.
    """
    host = state.inventory.get_host(member.name)
    name, part = name_of(member, instance), engine(member)
    if not _has_others(fleet, member, instance):
        host.log(f"{name} is the only engine: callers will notice that it is replaced")
        yield
        return
    gone = frozenset(n for other in away if (n := _running_name(fleet, other)))
    with session(host, fleet.registry_connection) as registry:
        proxies = [*telling_proxies(fleet), *unlisted_proxies(fleet, registry)]
        other = judges.has_other_than(gone | {name})
        wait_until(host, lambda: ask_proxies(state, fleet, proxies, other), _drain_s(member))
        host.log(f"draining {name}")
        place = node(part.registration, name) if part.registration else None
        try:
            _ask_to_leave(state, host, member, instance, registry, name)
            _await_gone(state, fleet, member, registry, proxies, place, name)
            yield
            _forget(host, registry, place)
        except BaseException:
            _ask_back(state, fleet, member, instance)
            raise
        finally:
            registry.unmark(name)


def _drain_s(member: Member) -> int:
    drain = engine(member).drain
    return drain.timeout_s if drain else READY_S


def _has_others(fleet: Fleet, member: Member, instance: Instance) -> bool:
    own = engine(member).container
    return (
        instance.name != own or len(_engines(fleet)) > 1 or engine(member).second_port is not None
    )


def _engines(fleet: Fleet) -> list[Member]:
    return fleet.running(ROLE)


def _running_name(fleet: Fleet, host: str) -> str | None:
    member = fleet[host]
    return running_name(member) if member.part(ROLE) else None


def _ask_to_leave(
    state: State, host: Host, member: Member, instance: Instance, registry: Registry, name: str
) -> None:
    """Mark the engine in the registry; where it knows a signal instead, send that, too."""

    def missing() -> str | None:
        return None if registry.mark(name, "rollout") else f"{name} could not be marked as drained"

    wait_until(host, missing, READY_S)
    drain = engine(member).drain
    if drain is None:
        host.log("it declares no drain: the proxies alone are asked to let it go")
    elif drain.signal:
        leave = commands.signal(instance.name, drain.signal)
        channel.run(state, host, leave, timeout_s=DOCKER_S)


def _ask_back(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Ask an engine back that was drained otherwise than by the mark, which goes by itself."""
    host, drain = state.inventory.get_host(member.name), engine(member).drain
    if drain is None:
        if not telling_proxies(fleet):  # its node was removed, and it alone can make it again
            again = commands.restart(instance.name, engine(member).stop_timeout_s)
            limit_s = engine(member).stop_timeout_s + DOCKER_S
            channel.run(state, host, again, timeout_s=limit_s, check=False)
    elif drain.undrain_signal:
        back = commands.signal(instance.name, drain.undrain_signal)
        channel.run(state, host, back, timeout_s=DOCKER_S, check=False)
    elif drain.signal:
        host.log("is left drained: it declares no undrain_signal")


def _await_gone(
    state: State,
    fleet: Fleet,
    member: Member,
    registry: Registry,
    proxies: list[TellingProxy],
    place: Node | None,
    name: str,
) -> None:
    host = state.inventory.get_host(member.name)
    leaves, tells = engine(member).drain is not None, bool(proxies)
    if not tells and not leaves and place:
        registry.remove(place.folder, place.name)  # nobody but its readers can be told

    def missing() -> str | None:
        if not registry.mark(name, "rollout"):
            return f"the mark that drains {name} is not ours"
        if place and (leaves or not tells) and registry.has(place.folder, place.name) is not False:
            return f"{name} is still registered"
        return ask_proxies(state, fleet, proxies, judges.has_let_go(name))

    wait_until(host, missing, _drain_s(member))
    if not tells:
        wait_s = engine(member).drain_wait_s
        host.log(
            "whether the proxies have let it go is not provable: they tell no status; "
            f"it serves on for {wait_s} s"
        )
        gevent.sleep(wait_s)


def _forget(host: Host, registry: Registry, place: Node | None) -> None:
    """Remove the node that a stopped engine has left: its session outlives it by seconds."""
    if place is None:
        return

    def missing() -> str | None:
        return None if registry.remove(place.folder, place.name) else f"{place.name} still stands"

    wait_until(host, missing, LEFT_S)


def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Wait until the engine has registered its host's address, every proxy lists it as up, and
    every proxy's host reaches it."""
    _prove(state, fleet, member, instance, engine(member).ready_timeout_s)


def ready(state: State, fleet: Fleet, member: Member) -> None:
    """See that an engine which stays as it is serves, before another is taken away."""
    _prove(state, fleet, member, Instance.of(container(fleet, member)), READY_S)


def _prove(state: State, fleet: Fleet, member: Member, instance: Instance, timeout_s: int) -> None:
    host = state.inventory.get_host(member.name)
    name, pattern = name_of(member, instance), engine(member).registration
    proxies = telling_proxies(fleet)

    def listed() -> str | None:
        return ask_proxies(state, fleet, proxies, judges.lists_up(name))

    if pattern is None:
        host.log(f"whether {name} is registered is not provable: it declares no registration")
        if not proxies:
            prove_steady(state, host, instance.name)
    else:
        with session(host, fleet.registry_connection) as registry:
            _prove_registered(state, fleet, member, registry, node(pattern, name), timeout_s)
    prove_reached(state, fleet, member, name)
    wait_until(host, listed, timeout_s)


def _prove_registered(
    state: State, fleet: Fleet, member: Member, registry: Registry, wanted: Node, timeout_s: int
) -> None:
    host = state.inventory.get_host(member.name)

    def missing() -> str | None:
        names = registry.names(wanted.folder)
        if names is None:
            return "the registry does not answer"
        if wanted.name in names:
            return None
        return f"{wanted.name} is not registered{_instead(names)}"

    def _instead(names: frozenset[str]) -> str:
        known = {_node_name(other) for other in _engines(fleet)}
        strange = ", ".join(sorted(names - known))
        return f" ({wanted.folder} has {strange} of nobody here)" if strange else ""

    wait_until(host, missing, timeout_s)


def _node_name(member: Member) -> str | None:
    name, pattern = running_name(member), engine(member).registration
    return node(pattern, name).name if name and pattern else None


ROLLOUT = Rollout(ROLE, container, prove=prove, aside=aside, ready=ready, successor=successor)
