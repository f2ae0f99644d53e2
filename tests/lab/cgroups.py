"""One control group per host, in every hierarchy: which processes are the host's is never a guess.

Without groups of their own, the hosts of one machine would share one group for systemd, and the
end of a unit in one of them would be seen in all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.lab import machine
from tests.lab.claims import RUN
from tests.lab.files import lock

GROUP = "dockyard-lab"
LOCK = RUN / "cgroups.lock"
"""The last host to end removes what another may just be about to use."""


def create(name: str) -> list[Path]:
    """Make the group of a host and return its directory in each hierarchy."""
    directories = []
    with lock(LOCK):
        for hierarchy in _hierarchies():
            for directory in (hierarchy / GROUP, hierarchy / GROUP / name):
                directory.mkdir(exist_ok=True)
                _inherit(directory)
            directories.append(directory)
    return directories


def pids(name: str) -> list[int]:
    """Return the processes of a host, its supervisor included, as this machine numbers them."""
    found: set[int] = set()
    hierarchy = next(_hierarchies())  # any: a process is below its host's group in all of them
    for directory, _, _ in os.walk(hierarchy / GROUP / name):
        with contextlib.suppress(OSError):  # the group has gone, or is a threaded one
            found.update(map(int, Path(directory, "cgroup.procs").read_text().split()))
    return sorted(found)


def remove(name: str) -> None:
    """Remove the group of a host that has no process left, and the lab's own if it was the last."""
    with lock(LOCK):
        for hierarchy in _hierarchies():
            for directory, _, _ in os.walk(hierarchy / GROUP / name, topdown=False):
                os.rmdir(directory)
            with contextlib.suppress(OSError):
                os.rmdir(hierarchy / GROUP)


def _hierarchies() -> Iterator[Path]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith(("cgroup ", "cgroup2 ")):
            path = Path(mount.split()[4])
            if path.is_relative_to("/sys/fs/cgroup"):
                yield path


def _inherit(directory: Path) -> None:
    """Give a new group what it needs to hold processes and to limit them."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        value = directory / name
        if machine.has_cgroup_v1() and value.exists() and not value.read_text().strip():
            value.write_text((directory.parent / name).read_text())
    control = directory.parent / "cgroup.subtree_control"
    if not control.exists():
        return
    for controller in (directory.parent / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # one that the machine keeps for itself
            control.write_text(f"+{controller}")
