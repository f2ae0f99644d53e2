"""What an engine's container is told. Pure."""

from __future__ import annotations

from roles.container.plan import part_changes, part_problems
from roles.container.spec import ContainerSpec, resolve
from roles.images.plan import image_of
from roles.run.address import endpoint
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.soa_engine.spec import SoaEngineSpec

ROLE = "soa_engine"


def engine(member: Member) -> SoaEngineSpec:
    assert member.wanted.soa_engine is not None, f"{member.name} runs no engine"
    return member.wanted.soa_engine


def registered_name(member: Member) -> str:
    """The engine's node in the registry, and its name in a proxy's list."""
    return endpoint(member.address, engine(member).port)


def running_name(member: Member) -> str | None:
    """The name under which the container that runs now is registered; None where none runs.

    It is another than `registered_name` where the address or the port is about to change.
    """
    found = member.observed.container(engine(member).container)
    if found is None or not found.running:
        return None
    told = found.environment
    address = told.get("EXPORT_IP", member.address)
    return endpoint(address, told.get("EXPORT_PORT", engine(member).port))


def container(fleet: Fleet, member: Member) -> ContainerSpec:
    part = engine(member)
    # The framework's first contract misspelt it, and engines built to it are still about.
    environment = {**fleet.told(member, part.port), "EXPORT_PROT": str(part.port)}
    return resolve(ROLE, part, image_of(member, ROLE), str(member.own_address), environment)


def check(fleet: Fleet) -> list[Problem]:
    return part_problems(fleet, ROLE, container)


def plan(fleet: Fleet) -> list[Change]:
    return part_changes(fleet, ROLE, container)
