"""How an engine is drained, and how its return is proven: by the registry and by every proxy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from gevent.pool import Pool
from pyinfra.api import State

from roles.container import commands
from roles.container.rollout import DOCKER_S, Rollout
from roles.observed import channel
from roles.proxy import plan as proxy_plan
from roles.proxy.status import ListedEngine, listed_engines
from roles.registry.session import Registry, session
from roles.run.conductor import wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import ROLE, container, engine, registered_name

Judge = Callable[[ListedEngine | None], str | None]
"""Given an engine as a proxy lists it, None where it does not, tells what is still to come."""


def drain(state: State, fleet: Fleet, member: Member) -> None:
    """Ask the engine to leave; wait until the registry and every proxy have let it go.

    An engine that declares no drain is stopped as it is.
    """
    wanted = engine(member).drain
    found = member.observed.container(engine(member).container)
    if wanted is None or found is None or not found.running:
        return
    host = state.inventory.get_host(member.name)
    name = registered_name(member)
    host.log(f"draining {name}")
    leave = commands.signal(engine(member).container, wanted.signal)
    channel.run(state, host, leave, timeout_s=DOCKER_S)

    def still_listed(entry: ListedEngine | None) -> str | None:
        if entry is None or not (entry.registered or entry.in_flight):
            return None
        return f"lists {name} as {entry.state}, {entry.in_flight} requests in flight"

    with _registry(state, fleet, member) as registry:

        def missing() -> str | None:
            if _registered(registry, member) is not False:
                return f"{name} is still registered"
            return _asked(state, fleet, name, still_listed)

        wait_until(host, missing, wanted.timeout_s)


def undrain(state: State, fleet: Fleet, member: Member) -> None:
    """Ask a drained engine back. One that is gone already has nothing to undo."""
    wanted = engine(member).drain
    if wanted and wanted.undrain_signal:
        back = commands.signal(engine(member).container, wanted.undrain_signal)
        host = state.inventory.get_host(member.name)
        channel.run(state, host, back, timeout_s=DOCKER_S, check=False)


def prove(state: State, fleet: Fleet, member: Member) -> None:
    """Wait until the engine has registered its host's address, and every proxy lists it as up."""
    host = state.inventory.get_host(member.name)
    name = registered_name(member)
    if engine(member).registration is None:
        host.log(f"whether {name} is registered is not provable: it declares no registration")
        return

    def not_up(entry: ListedEngine | None) -> str | None:
        if entry is None or entry.state != "up":
            return f"lists {name} as {entry.state if entry else 'unknown'}"
        return None

    with _registry(state, fleet, member) as registry:

        def missing() -> str | None:
            if not _registered(registry, member):
                return f"{name} is not registered"
            return _asked(state, fleet, name, not_up)

        wait_until(host, missing, engine(member).ready_timeout_s)


def _registry(state: State, fleet: Fleet, member: Member) -> AbstractContextManager[Registry]:
    via = state.inventory.get_host(member.name)
    return session(via, fleet.registry_connection)


def _registered(registry: Registry, member: Member) -> bool | None:
    """Whether the engine's node stands; None where that can't be told."""
    path = engine(member).registration
    if path is None:
        return False
    children = registry.children(path)
    return None if children is None else registered_name(member) in children


def _asked(state: State, fleet: Fleet, name: str, judge: Judge) -> str | None:
    """Ask every running proxy that tells its state; the first that is not content speaks."""
    asked = [member for member in proxy_plan.running(fleet) if proxy_plan.proxy(member).status]

    def ask(member: Member) -> str | None:
        engines = listed_engines(state, member)
        if engines is None:
            return f"the proxy of {member.name} does not answer"
        found = judge(engines.get(name))
        return f"the proxy of {member.name} {found}" if found else None

    return next((answer for answer in Pool(20).map(ask, asked) if answer), None)


ROLLOUT = Rollout(ROLE, container, prove=prove, drain=drain, undrain=undrain)
