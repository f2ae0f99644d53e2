"""Compare a container as it is to run with what runs: pure functions, no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from roles.container.instance import current, is_beside, leftover
from roles.container.part import PartSpec
from roles.container.spec import PART_LABEL, SPEC_LABEL, ContainerSpec
from roles.observed import Container, Observed
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

Specify = Callable[[Fleet, Member], ContainerSpec]
Verdict = Literal["keep", "create", "start", "update", "replace", "tidy"]

DIRECTORY_MODE = "750"


@dataclass(frozen=True)
class ContainerChange(Change):
    """A change of a container, and which of the verdicts it carries out."""

    verdict: Verdict = "keep"


@dataclass(frozen=True)
class Directory:
    """A directory of the host that a container sees."""

    path: str
    owner: str
    """`UID:GID`."""
    mode: str = DIRECTORY_MODE

    def exists(self, member: Member) -> bool:
        return self.path in member.observed.paths

    def difference(self, observed: Observed) -> str | None:
        """Why it is not as it should be; None where it is."""
        found = observed.paths.get(self.path)
        if found is None:
            return "absent"
        if found.owner != self.owner:
            return f"owner {found.owner} -> {self.owner}"
        if found.mode[-3:] != self.mode:  # before them setgid, which a parent hands down
            return f"mode {found.mode} -> {self.mode}"
        return None


def directories(part: PartSpec) -> list[Directory]:
    return [Directory(mount.host, part.user or "0:0") for mount in part.mounts]


def directory_changes(
    host: str, role: str, part: PartSpec, observed: Observed
) -> list[tuple[Directory, Change]]:
    """The part's directories that differ, each with its change."""
    different = [(d, d.difference(observed)) for d in directories(part)]
    return [
        (directory, Change(host, role, f"directory {directory.path}", why))
        for directory, why in different
        if why
    ]


def verdict(spec: ContainerSpec, container: Container | None) -> tuple[Verdict, str]:
    """Decide what becomes of a container, and why in words."""
    if container is None:
        return "create", "absent"
    reasons = list(_differences(spec, container))
    if reasons:
        return "replace", "; ".join(reasons)
    if not container.running:
        return "start", "stopped"
    return "keep", "as wanted"


def container_change(host: str, spec: ContainerSpec, observed: Observed) -> ContainerChange | None:
    """The change that a container needs; None where it runs as wanted."""
    decided, why = verdict(spec, current(observed, spec.name))
    left = leftover(observed, spec.name)
    if decided == "keep" and left:
        why = "left by a run that ended early"
        return ContainerChange(
            host, spec.part, f"remove container {left.name}", why, left.running, "tidy"
        )
    if decided == "keep":
        return None
    action = f"{decided} container {spec.name}"
    return ContainerChange(host, spec.part, action, why, decided == "replace", decided)


def container_changes(
    fleet: Fleet, role: str, specify: Specify
) -> list[tuple[Member, ContainerSpec, ContainerChange]]:
    """The hosts whose container of a role differs from what is wanted, in inventory order."""
    specified = [
        (member, specify(fleet, member)) for member in fleet.running(role) if member.in_limit
    ]
    found = [
        (member, spec, container_change(member.name, spec, member.observed))
        for member, spec in specified
    ]
    return [(member, spec, change) for member, spec, change in found if change]


def part_changes(fleet: Fleet, role: str, specify: Specify) -> list[Change]:
    """Everything that a part needs: its directories, then its container, host by host."""
    containers = {m.name: change for m, _, change in container_changes(fleet, role, specify)}
    changes: list[Change] = []
    for member in fleet.running(role):
        part = member.part(role)
        if part and member.in_limit:
            found = directory_changes(member.name, role, part, member.observed)
            changes += [change for _, change in found]
            changes += [containers[member.name]] if member.name in containers else []
    return changes


def part_problems(fleet: Fleet, role: str, specify: Specify) -> list[Problem]:
    return [
        problem
        for member in fleet.running(role)
        for problem in (
            *container_problems(member.name, specify(fleet, member), member.observed),
            *directory_problems(member, role),
        )
    ]


def directory_problems(member: Member, role: str) -> list[Problem]:
    """Something else than a directory stands where the part wants one."""
    part = member.part(role)
    wanted = directories(part) if part else []
    found = [(d.path, member.observed.paths[d.path].kind) for d in wanted if d.exists(member)]
    return [
        Problem(member.name, role, f"{path}: expected a directory, found a {kind}; move it away")
        for path, kind in found
        if kind != "directory"
    ]


def container_problems(host: str, spec: ContainerSpec, observed: Observed) -> list[Problem]:
    """A container that has our name but not our label is an error, not a victim."""
    ours = [c.name for c in observed.containers if c.labels.get(PART_LABEL) == spec.part]
    namesakes = [name for name in ours if not is_beside(name)]
    if namesakes and spec.name not in namesakes:
        text = (
            f"the container is to be '{spec.name}', but runs as '{namesakes[0]}'; "
            f"`docker rename {namesakes[0]} {spec.name}` there stops nothing, or name that one here"
        )
        return [Problem(host, f"{spec.part}.container", text)]
    found = observed.container(spec.name)
    if found is None or found.labels.get(PART_LABEL) == spec.part:
        return []
    text = (
        f"a container '{spec.name}' (image {found.image}) exists that Dockyard did not make; "
        "remove or rename it, or set another name here"
    )
    return [Problem(host, f"{spec.part}.container", text)]


def _differences(spec: ContainerSpec, container: Container) -> Iterator[str]:
    try:
        applied: dict[str, Any] = dict(json.loads(container.labels.get(SPEC_LABEL, "{}")))
    except (ValueError, TypeError):
        yield f"its label {SPEC_LABEL} can't be read"
        return
    wanted = spec.applied
    for key in sorted(wanted.keys() | applied.keys()):
        if key != "environment" and wanted.get(key) != applied.get(key):
            yield f"{key} {_shown(applied.get(key))} -> {_shown(wanted.get(key))}"
    yield from _environment_differences(spec, container, applied.get("environment", []))


def _environment_differences(
    spec: ContainerSpec, container: Container, applied: list[str]
) -> Iterator[str]:
    found = container.environment
    for name in sorted({*spec.environment, *applied}):
        before, wanted = found.get(name), spec.environment.get(name)
        if before == wanted:
            continue
        if before is None or wanted is None:
            yield f"environment {name} {'removed' if wanted is None else 'added'}"
        elif name in spec.told:
            yield f"environment {name} {before} -> {wanted}"
        else:
            yield f"environment {name} changed"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
