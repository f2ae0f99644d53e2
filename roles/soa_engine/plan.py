"""What an engine's container is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roles.container.instance import Instance, current, serving
from roles.container.plan import part_changes, part_problems
from roles.container.spec import ContainerSpec, resolve
from roles.images.plan import image_of
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.soa_engine.spec import SoaEngineSpec

ROLE = "soa_engine"


def engine(member: Member) -> SoaEngineSpec:
    assert member.wanted.soa_engine is not None, f"{member.name} runs no engine"
    return member.wanted.soa_engine


def name_of(member: Member, instance: Instance) -> str:
    """Where an engine is reached, which is also its name in a proxy's list: `ADDRESS:PORT`."""
    return instance.reached_at(member.address, engine(member).port)


def running_name(member: Member) -> str | None:
    """The name of the engine that runs on a host now; None where none does."""
    found = serving(member.observed, engine(member).container)
    return name_of(member, found) if found else None


def container(fleet: Fleet, member: Member) -> ContainerSpec:
    """The engine's container, on the port that it has."""
    return _on_port(fleet, member, _port(member))


def successor(fleet: Fleet, member: Member) -> ContainerSpec | None:
    """The container that starts beside the one that runs, on the other port."""
    others = [port for port in engine(member).host_ports if port != _port(member)]
    return _on_port(fleet, member, others[0]) if others else None


def _port(member: Member) -> int:
    """Of the engine's ports the one that it runs on, or would."""
    part = engine(member)
    found = current(member.observed, part.container)
    told = found.environment.get("EXPORT_PORT", "") if found else ""
    return int(told) if told in map(str, part.host_ports) else part.port


def _on_port(fleet: Fleet, member: Member, port: int) -> ContainerSpec:
    part = engine(member).model_copy(update={"port": port})
    # The framework's first contract misspelt it, and engines built to it are still about.
    environment = {**fleet.told(member, part, port), "EXPORT_PROT": str(port)}
    return resolve(ROLE, part, image_of(member, ROLE), str(member.own_address), environment)


def check(fleet: Fleet) -> list[Problem]:
    problems = [problem for member in fleet.running(ROLE) for problem in _port_problems(member)]
    return problems + part_problems(fleet, ROLE, container)


def _port_problems(member: Member) -> Iterator[Problem]:
    part = engine(member)
    if part.second_port == part.port:
        text = f"is {part.port}, as `port` is; expected another, or remove it"
        yield Problem(member.name, f"{ROLE}.second_port", text)


def plan(fleet: Fleet) -> list[Change]:
    return part_changes(fleet, ROLE, container)
