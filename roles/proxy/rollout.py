"""How a proxy is proven: it lists every running engine as up."""

from __future__ import annotations

from pyinfra.api import State

from roles.container.rollout import Rollout
from roles.proxy.plan import ROLE, container, proxy
from roles.proxy.status import listed_engines
from roles.run.conductor import wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import engine, registered_name


def prove(state: State, fleet: Fleet, member: Member) -> None:
    """Wait until the proxy lists every engine of the inventory that runs as up."""
    host = state.inventory.get_host(member.name)
    if proxy(member).status is None:
        host.log("which engines the proxy knows is not provable: it declares no status")
        return
    running = [
        registered_name(other)
        for other in fleet.running("soa_engine")
        if (found := other.observed.container(engine(other).container)) and found.running
    ]

    def missing() -> str | None:
        listed = listed_engines(state, member)
        if listed is None:
            return "the proxy does not answer"
        wrong = [n for n in running if n not in listed or listed[n].state != "up"]
        return f"the proxy does not list {', '.join(wrong)} as up" if wrong else None

    wait_until(host, missing, proxy(member).ready_timeout_s)


ROLLOUT = Rollout(ROLE, container, prove=prove)
