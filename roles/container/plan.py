"""Compare a container as it is to run with what runs: pure functions, no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from roles.container.difference import Difference, differences
from roles.container.instance import BEFORE, FAILED, NEXT, current, is_beside, leftovers
from roles.container.part import PartSpec
from roles.container.spec import PART_LABEL, TO_BE_BUILT, ContainerSpec
from roles.docker_engine import daemon_json
from roles.images.plan import delivered_ids, released_ids
from roles.observed import Container, Observed
from roles.run.address import split_endpoints
from roles.run.changes import Change, Gap
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

Specify = Callable[[Fleet, Member], ContainerSpec]
Verdict = Literal["keep", "create", "start", "update", "replace", "tidy"]
"""`update` mends in place what runs; `replace` interrupts it; `tidy` removes a run's leftovers."""

DIRECTORY_MODE = "750"
DOCKERS_OWN_NETWORKS = ("bridge", "host")
CONTROLLERS = {"memory_mb": "memory", "memory_swap_mb": "memory", "pids": "pids"}
"""The cgroup controller without which a limit is none."""
UPDATES_PIDS = (19, 3)
"""The first release whose `docker update` knows --pids-limit."""


@dataclass(frozen=True)
class ContainerChange(Change):
    """A change of a container, and which of the verdicts it carries out."""

    verdict: Verdict = "keep"
    differences: tuple[Difference, ...] = ()


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

    def gap(self, observed: Observed) -> Gap:
        """The same as a thing that differs."""
        found = observed.paths.get(self.path)
        is_now = f"owner {found.owner}, mode {found.mode}" if found else "absent"
        return Gap(self.path, f"owner {self.owner}, mode {self.mode}", is_now)


def directories(part: PartSpec) -> list[Directory]:
    return [Directory(mount.host, part.user or "0:0") for mount in part.mounts]


def directory_changes(
    host: str, role: str, part: PartSpec, observed: Observed
) -> list[tuple[Directory, Change]]:
    """The part's directories that differ, each with its change."""
    different = [(d, d.difference(observed)) for d in directories(part)]
    return [
        (
            directory,
            Change(host, role, f"directory {directory.path}", why, gaps=(directory.gap(observed),)),
        )
        for directory, why in different
        if why
    ]


def verdict(
    spec: ContainerSpec, container: Container | None, observed: Observed | None = None
) -> tuple[Verdict, tuple[Difference, ...]]:
    """Decide what becomes of a container, and which differences decide it.

    `observed` is its host; None where that is not known, and taken to be able to do all.
    """
    if container is None:
        return "create", ()
    found = tuple(d for d in differences(spec, container) if not _is_ignored(d, observed))
    if found:
        mends = container.running and all(_is_in_place(each, observed) for each in found)
        return "update" if mends else "replace", found
    serves = container.running and not container.is_paused
    return "keep" if serves else "start", ()


def _is_ignored(difference: Difference, observed: Observed | None) -> bool:
    """Whether Docker leaves a limit away, with a warning alone, since this kernel has none such."""
    controller = CONTROLLERS.get(difference.field)
    if controller is None or observed is None or difference.found is not None:
        return False
    return bool(observed.cgroup_controllers) and controller not in observed.cgroup_controllers


def _is_in_place(difference: Difference, observed: Observed | None) -> bool:
    version = observed.docker_version if observed else None
    if difference.field == "pids" and version and _release(version) < UPDATES_PIDS:
        return False
    return difference.is_in_place


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return tuple(map(int, numbers.groups())) if numbers else UPDATES_PIDS


def container_change(host: str, spec: ContainerSpec, observed: Observed) -> ContainerChange | None:
    """The change that a container needs; None where it runs as wanted."""
    decided, found = verdict(spec, current(observed, spec.name), observed)
    if decided == "keep":
        return _tidying(host, spec, observed)
    why = "; ".join(map(str, found))
    if not found:
        why = _state(current(observed, spec.name))
    action = f"{decided} container {spec.name}"
    gaps = tuple(each.gap(spec.name) for each in found) or (_missing(spec, observed, why),)
    interrupts = decided == "replace"
    return ContainerChange(host, spec.part, action, why, interrupts, gaps, decided, found)


def _missing(spec: ContainerSpec, observed: Observed, found: str) -> Gap:
    """A container that is not there, or does not run: by hand, where it was deployed once."""
    release = observed.releases.current
    was = observed.container(spec.name) or (release and spec.part in release.parts)
    return Gap(spec.name, "running", found, "by hand" if was else "not yet deployed")


def _state(container: Container | None) -> str:
    if container is None:
        return "absent"
    return "paused" if container.is_paused else "stopped"


def _tidying(host: str, spec: ContainerSpec, observed: Observed) -> ContainerChange | None:
    """What a run that ended early has left to be done."""
    serves, left = current(observed, spec.name), leftovers(observed, spec.name)
    done = [f"rename container {serves.name}"] if serves and serves.name != spec.name else []
    done += [f"remove container {container.name}" for container in left]
    if not done:
        return None
    why, interrupts = "a run ended early", any(container.running for container in left)
    gaps = tuple(Gap(each.name, "absent", f"left: {why}") for each in left)
    if serves and serves.name != spec.name:
        gaps = (Gap(serves.name, f"named {spec.name}", why), *gaps)
    return ContainerChange(host, spec.part, " and ".join(done), why, interrupts, gaps, "tidy")


def container_changes(
    fleet: Fleet, role: str, specify: Specify
) -> list[tuple[Member, ContainerSpec, ContainerChange]]:
    """The hosts whose container of a role differs from what is wanted, in inventory order."""
    ids = delivered_ids(fleet)
    specified = [
        (member, with_image_id(specify(fleet, member), {**ids, **released_ids(member)}))
        for member in fleet.running(role)
        if member.in_limit
    ]
    found = [
        (member, spec, container_change(member.name, spec, member.observed))
        for member, spec in specified
    ]
    return [(member, spec, change) for member, spec, change in found if change]


def with_image_id(spec: ContainerSpec, ids: Mapping[str, str]) -> ContainerSpec:
    """Say which image the container is to run, by the IDs that hosts have after delivery."""
    return replace(spec, image_id=ids.get(spec.image, TO_BE_BUILT))


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
        for spec in (specify(fleet, member),)
        for problem in (
            *container_problems(member.name, spec, member.observed),
            *bridge_problems(fleet, member, spec),
            *directory_problems(member, role),
        )
    ]


def bridge_problems(fleet: Fleet, member: Member, spec: ContainerSpec) -> list[Problem]:
    """The registry is reached by IPv6 alone, which Docker's bridge lacks until it is configured."""
    places = [host for host, _ in split_endpoints(fleet.registry_connection)]
    if spec.network != "bridge" or not places or not all(":" in place for place in places):
        return []
    configured = [member.wanted.docker_engine.config, _read(member.observed.daemon_json)]
    if any(config.get("ipv6") for config in configured):
        return []
    text = (
        f"Docker's bridge has no IPv6, and the registry is {fleet.registry_connection}; expected "
        '\'host\', or "ipv6" and "fixed-cidr-v6" in docker_engine.config'
    )
    return [Problem(member.name, f"{spec.part}.network", text)]


def _read(config: str | None) -> dict[str, Any]:
    try:
        return daemon_json.read(config)
    except daemon_json.NotJson:
        return {}


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


def network_exists(network: str, observed: Observed) -> bool:
    """Whether a network is there, as far as is known: Docker before 1.9 tells of none."""
    if network in DOCKERS_OWN_NETWORKS or network in observed.networks:
        return True
    return observed.docker_version is not None and not observed.networks


def container_problems(host: str, spec: ContainerSpec, observed: Observed) -> list[Problem]:
    """A container that has our name but not our label is an error, not a victim."""
    ours = [c.name for c in observed.containers if c.labels.get(PART_LABEL) == spec.part]
    strangers = [name for name in ours if not is_beside(name)]
    if strangers and spec.name not in ours:
        text = (
            f"the container is to be '{spec.name}', but runs as '{strangers[0]}'; "
            f"`docker rename {strangers[0]} {spec.name}` there stops nothing, or name that one here"
        )
        return [Problem(host, f"{spec.part}.container", text)]
    if not network_exists(spec.network, observed):
        text = (
            f"there is no network '{spec.network}' on this host; make it there "
            f"(`docker network create {spec.network}`), or name another"
        )
        return [Problem(host, f"{spec.part}.network", text)]
    names = [spec.name, *(f"{spec.name}{suffix}" for suffix in (BEFORE, NEXT, FAILED))]
    found = [container for name in names if (container := observed.container(name))]
    return [
        Problem(
            host,
            f"{spec.part}.container",
            f"a container '{container.name}' (image {container.image}) exists that Dockyard did "
            "not make; remove or rename it, or set another name here",
        )
        for container in found
        if container.labels.get(PART_LABEL) != spec.part
    ]
