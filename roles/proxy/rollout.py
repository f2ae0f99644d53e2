"""When a proxy may go, and how it is proven: callers find it, and it lists every engine as up."""

from __future__ import annotations

from pyinfra.api import State

from roles.container.rollout import Rollout, prove_steady
from roles.proxy.plan import ROLE, container, proxy, registered_name
from roles.proxy.status import listed_engines, telling_proxies
from roles.registry.session import session
from roles.run.conductor import wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import running_name

READY_S = 10


def drain(state: State, fleet: Fleet, member: Member) -> None:
    """See that another proxy answers, before this one is taken away; it drains itself at SIGTERM.

    Of proxies that do not tell their state nothing is known.
    """
    others = {n: port for n, port in telling_proxies(fleet).items() if n != member.name}

    def missing() -> str | None:
        if any(listed_engines(state, fleet[n], port) is not None for n, port in others.items()):
            return None
        return f"none of {', '.join(others)} answers, so this proxy can't be taken away"

    if others:
        wait_until(state.inventory.get_host(member.name), missing, READY_S)


def prove(state: State, fleet: Fleet, member: Member) -> None:
    """Wait until the proxy is registered and lists every engine that runs as up."""
    host = state.inventory.get_host(member.name)
    part, name = proxy(member), registered_name(member)
    status, path = part.status, part.registration
    if status is None and path is None:
        host.log("what the proxy knows is not provable: it declares no status and no registration")
        prove_steady(state, host, part.container)
    if status:
        engines = [running_name(other) for other in fleet.running("soa_engine")]

        def unlisted() -> str | None:
            listed = listed_engines(state, member, status.port)
            if listed is None:
                return "the proxy does not answer"
            wrong = [n for n in engines if n and (n not in listed or listed[n].state != "up")]
            return f"the proxy does not list {', '.join(wrong)} as up" if wrong else None

        wait_until(host, unlisted, part.ready_timeout_s)
    if path:
        with session(host, fleet.registry_connection) as registry:

            def unregistered() -> str | None:
                return None if registry.has(path, name) else f"{name} is not registered"

            wait_until(host, unregistered, part.ready_timeout_s)


ROLLOUT = Rollout(ROLE, container, prove=prove, drain=drain)
