"""How the caller's container is proven: it stays up. It serves nobody, so nothing is drained."""

from __future__ import annotations

from pyinfra.api import State

from roles.container.instance import Instance
from roles.container.rollout import Rollout, prove_steady
from roles.run.fleet import Fleet, Member
from roles.sdk.plan import ROLE, container


def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    host = state.inventory.get_host(member.name)
    prove_steady(state, host, instance.name)


ROLLOUT = Rollout(ROLE, container, prove=prove)
