"""How an engine is drained, and how its return is proven: by the registry and by every proxy."""

from __future__ import annotations

from collections.abc import Callable

from pyinfra.api import State

from roles.container import commands
from roles.container.rollout import DOCKER_S, Rollout, prove_steady
from roles.observed import channel
from roles.proxy.status import Listing, ask_proxies, telling_proxies
from roles.registry.session import session
from roles.run.conductor import wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import ROLE, container, engine, registered_name, running_name

READY_S = 10


def drain(state: State, fleet: Fleet, member: Member) -> None:
    """Ask the engine to leave; wait until the registry and every proxy have let it go.

    Not before every proxy has another to turn to. An engine that declares no drain is not asked.
    """
    name = running_name(member)
    if name is None:
        return
    host = state.inventory.get_host(member.name)
    wanted = engine(member).drain
    timeout_s = wanted.timeout_s if wanted else READY_S
    if len(fleet.running(ROLE)) > 1:
        wait_until(host, lambda: ask_proxies(state, fleet, _without_another(name)), timeout_s)
    else:
        host.log(f"{name} is the only engine: callers will notice that it is replaced")
    if wanted is None:
        host.log("it declares no drain, and is stopped with SIGTERM alone")
        return
    host.log(f"draining {name}")
    leave = commands.signal(engine(member).container, wanted.signal)
    channel.run(state, host, leave, timeout_s=DOCKER_S)
    path = engine(member).registration
    with session(host, fleet.registry_connection) as registry:

        def missing() -> str | None:
            if path and registry.has(path, name) is not False:
                return f"{name} is still registered"
            return ask_proxies(state, fleet, _still_listed(name))

        wait_until(host, missing, timeout_s)


def undrain(state: State, fleet: Fleet, member: Member) -> None:
    """Ask a drained engine back.

    Raises:
        RemoteError: it could not be asked.
    """
    wanted = engine(member).drain
    host = state.inventory.get_host(member.name)
    if wanted is None:
        return
    if wanted.undrain_signal is None:
        host.log("is left drained: it declares no undrain_signal")
        return
    back = commands.signal(engine(member).container, wanted.undrain_signal)
    channel.run(state, host, back, timeout_s=DOCKER_S)


def prove(state: State, fleet: Fleet, member: Member) -> None:
    """Wait until the engine has registered its host's address, and every proxy lists it as up."""
    _prove(state, fleet, member, engine(member).ready_timeout_s)


def ready(state: State, fleet: Fleet, member: Member) -> None:
    """See that an engine which stays as it is serves, before another is taken away."""
    _prove(state, fleet, member, READY_S)


def _prove(state: State, fleet: Fleet, member: Member, timeout_s: int) -> None:
    host = state.inventory.get_host(member.name)
    name = registered_name(member)
    path = engine(member).registration
    if path is None:
        host.log(f"whether {name} is registered is not provable: it declares no registration")
        if not telling_proxies(fleet):
            prove_steady(state, host, engine(member).container)
            return
        wait_until(host, lambda: ask_proxies(state, fleet, _not_up(name)), timeout_s)
        return
    with session(host, fleet.registry_connection) as registry:

        def missing() -> str | None:
            if not registry.has(path, name):
                return f"{name} is not registered"
            return ask_proxies(state, fleet, _not_up(name))

        wait_until(host, missing, timeout_s)


Judge = Callable[[Listing], str | None]
"""Given what one proxy lists, tells what is still to come."""


def _not_up(name: str) -> Judge:
    def judge(listing: Listing) -> str | None:
        entry = listing.get(name)
        if entry and entry.state == "up":
            return None
        return f"lists {name} as {entry.state if entry else 'unknown'}"

    return judge


def _still_listed(name: str) -> Judge:
    def judge(listing: Listing) -> str | None:
        entry = listing.get(name)
        if entry is None or not (entry.registered or entry.in_flight):
            return None
        return f"lists {name} as {entry.state}, {entry.in_flight} requests in flight"

    return judge


def _without_another(name: str) -> Judge:
    def judge(listing: Listing) -> str | None:
        others = [o for o, entry in listing.items() if o != name and entry.registered]
        if any(listing[other].state == "up" for other in others):
            return None
        return f"has no other engine up than {name}, which can't be taken away"

    return judge


ROLLOUT = Rollout(ROLE, container, prove=prove, drain=drain, undrain=undrain, ready=ready)
