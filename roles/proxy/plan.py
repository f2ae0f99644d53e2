"""What a proxy's container is told. Pure."""

from __future__ import annotations

from roles.container.instance import Instance
from roles.container.plan import part_changes, part_problems
from roles.container.spec import ContainerSpec, resolve
from roles.images.plan import image_of
from roles.proxy.spec import ProxySpec
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ROLE = "proxy"


def proxy(member: Member) -> ProxySpec:
    assert member.wanted.proxy is not None, f"{member.name} runs no proxy"
    return member.wanted.proxy


def name_of(member: Member, instance: Instance) -> str:
    """Where a proxy is reached: `ADDRESS:PORT`."""
    return instance.reached_at(member.address, proxy(member).port)


def container(fleet: Fleet, member: Member) -> ContainerSpec:
    part = proxy(member)
    environment = fleet.told(member, part, part.port)
    if part.status:
        environment["OSP_STATUS_PORT"] = str(part.status.port)
    return resolve(ROLE, part, image_of(member, ROLE), str(member.own_address), environment)


def successor(fleet: Fleet, member: Member) -> ContainerSpec | None:
    """The container that takes over the listeners of the one that runs."""
    return container(fleet, member) if proxy(member).handover else None


def check(fleet: Fleet) -> list[Problem]:
    return part_problems(fleet, ROLE, container)


def plan(fleet: Fleet) -> list[Change]:
    return part_changes(fleet, ROLE, container)
