from __future__ import annotations

from typing import Any

import pytest

from roles.host_check.plan import check
from tests.unit.build import bare, fleet, member


def told(**changes: Any) -> list[str]:
    return [str(problem) for problem in check(fleet(member("app-1", observed=bare(**changes))))]


def test_a_fit_host() -> None:
    assert told() == []


@pytest.mark.parametrize(
    "changes, problem",
    [
        (
            {"user_id": 1000},
            "root: commands run as user 1000, expected root; add --sudo, or `_sudo: True`",
        ),
        (
            {"architecture": "i686", "userland_bits": 32},
            "architecture: expected one of x86_64, aarch64, found i686; "
            "the Docker engine needs a 64-bit host",
        ),
        (
            {"architecture": "armv7l"},
            "architecture: expected one of x86_64, aarch64, found armv7l; "
            "the Docker engine needs a 64-bit host",
        ),
        (
            {"userland_bits": 32},
            "userland: expected a 64-bit userland, found 32-bit programs on a x86_64 kernel; "
            "install a 64-bit system",
        ),
        (
            {"kernel": "2.6.32-754.el6.x86_64"},
            "kernel: expected 3.10 or newer, found 2.6.32-754.el6.x86_64; install a newer kernel",
        ),
        (
            {"kernel": "3.9.11"},
            "kernel: expected 3.10 or newer, found 3.9.11; install a newer kernel",
        ),
        ({"kernel": ""}, "kernel: expected 3.10 or newer, found ; install a newer kernel"),
        ({"init": "openrc-init"}, "init: expected systemd or init, found openrc-init"),
        (
            {"has_overlay": False},
            "overlay: the kernel has no overlay file system; load or install its module `overlay`",
        ),
        (
            {"cgroup_version": None, "cgroup_controllers": frozenset()},
            "cgroups: no cgroups are mounted at /sys/fs/cgroup",
        ),
        (
            {"cgroup_controllers": frozenset({"cpu", "cpuset", "io"})},
            "cgroups: the controllers memory, pids are missing; enable them at the kernel's boot",
        ),
    ],
    ids=[
        "not-root",
        "i686",
        "arm-32",
        "32-bit-userland",
        "kernel-2.6.32",
        "kernel-3.9",
        "kernel-unknown",
        "no-systemd",
        "no-overlay",
        "no-cgroups",
        "no-memory-controller",
    ],
)
def test_an_unfit_host(changes: dict[str, Any], problem: str) -> None:
    assert told(**changes) == [f"app-1: host_check.{problem}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": "3.10.0-1160.el7.x86_64"},
        {"kernel": "3.10"},
        {"kernel": "4.0.0"},
        {"kernel": "10.0.1-rc1"},
        {"architecture": "aarch64"},
        {"init": "init"},
        {"cgroup_version": 1},
        {"cgroup_controllers": frozenset({"cpu", "cpuset", "memory", "pids", "rdma"})},
    ],
    ids=lambda changes: "-".join(map(str, *changes.items())),
)
def test_what_is_fit_too(changes: dict[str, Any]) -> None:
    assert told(**changes) == []


def test_all_that_is_wrong_is_told() -> None:
    assert len(told(kernel="2.6.32", architecture="i686", init="runit", has_overlay=False)) == 4


def test_every_host_is_checked_also_outside_the_limit() -> None:
    old = bare(kernel="2.6.32")
    found = fleet(
        member("app-1", observed=old), member("app-2", observed=old, in_limit=False), "app-3"
    )
    assert [problem.host for problem in check(found)] == ["app-1", "app-2"]
