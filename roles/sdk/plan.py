"""What the caller's container is told. Pure."""

from __future__ import annotations

from roles.container.plan import part_changes, part_problems
from roles.container.spec import ContainerSpec, resolve
from roles.images.plan import image_of
from roles.run.address import REGISTRY_VARIABLE
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ROLE = "sdk"


def container(fleet: Fleet, member: Member) -> ContainerSpec:
    part = member.part(ROLE)
    assert part is not None, f"{member.name} runs no sdk"
    environment = {REGISTRY_VARIABLE: fleet.registry_connection}
    return resolve(ROLE, part, image_of(member, ROLE), str(member.own_address), environment)


def check(fleet: Fleet) -> list[Problem]:
    return part_problems(fleet, ROLE, container)


def plan(fleet: Fleet) -> list[Change]:
    return part_changes(fleet, ROLE, container)
