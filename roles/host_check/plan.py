"""Whether a host is fit: pure checks of what the probe read. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roles.observed import Observed
from roles.run.fleet import Fleet
from roles.run.problems import Problem

ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_KERNEL = (3, 10)
"""Docker 1.12 to 20.10 refuse to start below; what the supported distributions ship is newer."""
CGROUP_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
INITS = ("systemd", "init")


def check(fleet: Fleet) -> list[Problem]:
    return [problem for member in fleet for problem in _unfit(member.name, member.observed)]


def _unfit(host: str, observed: Observed) -> Iterator[Problem]:
    if observed.user_id != 0:
        yield Problem(
            host,
            "host_check.root",
            f"commands run as user {observed.user_id}, expected root; add --sudo, or `_sudo: True`",
        )
    if observed.architecture not in ARCHITECTURES:
        yield Problem(
            host,
            "host_check.architecture",
            f"expected one of {', '.join(ARCHITECTURES)}, found {observed.architecture}; "
            "the Docker engine needs a 64-bit host",
        )
    elif observed.userland_bits != 64:
        yield Problem(
            host,
            "host_check.userland",
            f"expected a 64-bit userland, found {observed.userland_bits}-bit programs on a "
            f"{observed.architecture} kernel; install a 64-bit system",
        )
    if _kernel(observed.kernel) < OLDEST_KERNEL:
        yield Problem(
            host,
            "host_check.kernel",
            f"expected 3.10 or newer, found {observed.kernel}; install a newer kernel",
        )
    if observed.init not in INITS:
        yield Problem(
            host, "host_check.init", f"expected {' or '.join(INITS)}, found {observed.init}"
        )
    if not observed.has_overlay:
        yield Problem(
            host,
            "host_check.overlay",
            "the kernel has no overlay file system; load or install its module `overlay`",
        )
    if observed.cgroup_version is None:
        yield Problem(host, "host_check.cgroups", "no cgroups are mounted at /sys/fs/cgroup")
    missing = [c for c in CGROUP_CONTROLLERS if c not in observed.cgroup_controllers]
    if observed.cgroup_version and missing:
        yield Problem(
            host,
            "host_check.cgroups",
            f"the controllers {', '.join(missing)} are missing; enable them at the kernel's boot",
        )


def _kernel(release: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)
