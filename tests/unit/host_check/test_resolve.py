from __future__ import annotations

from typing import Any

import pytest

from roles.host_check.resolve import (
    is_packaged,
    kernel_version,
    newer_kernel,
    of_release,
    resolve,
)
from roles.host_check.versions import ENDS, NEWEST

LIKE = ("rhel", "centos", "fedora")

HOSTS: list[tuple[str, tuple[str, str, str, tuple[str, ...], str, int | None], Any]] = [
    ("el6", ("2.6.32-754.el6.x86_64", "centos", "6.10", LIKE, "x86_64", 1), "1.7.1"),
    ("el6.5", ("2.6.32-431.el6.x86_64", "rhel", "6.5", ("fedora",), "x86_64", 1), "1.7.1"),
    ("el6.4", ("2.6.32-358.el6.x86_64", "rhel", "6.4", ("fedora",), "x86_64", 1), None),
    ("el5", ("2.6.18-398.el5", "rhel", "5.11", ("fedora",), "x86_64", None), None),
    ("a-name-of-2.6", ("2.6.78.44", "debian", "12", (), "x86_64", 2), "1.7.1"),
    ("3.8", ("3.8.0-19-generic", "ubuntu", "13.04", ("debian",), "x86_64", 1), "1.7.1"),
    ("3.10", ("3.10", "debian", "7", (), "x86_64", 1), "20.10.27"),
    ("trusty", ("3.13.0-24-generic", "ubuntu", "14.04", ("debian",), "x86_64", 1), "18.06.3"),
    ("el7.2", ("3.10.0-327.el7.x86_64", "centos", "7", LIKE, "x86_64", 1), "20.10.27"),
    ("el7.3", ("3.10.0-514.el7.x86_64", "centos", "7", LIKE, "x86_64", 1), "26.1.4"),
    ("a-rebuild-of-el7", ("3.10.0-1160.el7", "ol", "7.9", ("rhel",), "x86_64", 1), "26.1.4"),
    ("el7s-kernel-elsewhere", ("3.10.0-1160", "debian", "8", (), "x86_64", 1), "20.10.27"),
    ("4.0", ("4.0.0", "debian", "8", (), "x86_64", 1), NEWEST),
    ("buster", ("4.19.0-27-amd64", "debian", "10", (), "x86_64", 1), "26.1.4"),
    ("stream-8", ("4.18.0-553.el8", "centos", "8", LIKE, "x86_64", 1), "26.1.3"),
    ("rocky-8", ("4.18.0-553.el8", "rocky", "8.10", LIKE, "x86_64", 1), NEWEST),
    ("bookworm", ("6.1.0-40-amd64", "debian", "12", (), "x86_64", 2), NEWEST),
    ("arm64", ("6.1.0-40-arm64", "rocky", "9.4", LIKE, "aarch64", 2), NEWEST),
    ("i686", ("6.1.0-40-686", "debian", "12", (), "i686", 2), None),
    ("i386-and-el6", ("2.6.32-754.el6.i686", "centos", "6.10", LIKE, "i686", 1), None),
    ("armv7", ("6.1.0", "raspbian", "12", ("debian",), "armv7l", 2), NEWEST),
    ("armv7-el9", ("5.14.0", "rocky", "9", LIKE, "armv7l", 2), None),
    ("armv6", ("6.1.0", "raspbian", "12", ("debian",), "armv6l", 2), "28.5.2"),
    ("ppc64le", ("6.1.0", "ubuntu", "24.04", ("debian",), "ppc64le", 2), NEWEST),
    ("s390x", ("5.14.0", "rhel", "9.4", ("fedora",), "s390x", 2), NEWEST),
    ("riscv64", ("6.12.0", "debian", "13", (), "riscv64", 2), NEWEST),
    ("riscv64-fedora", ("6.12.0", "fedora", "43", (), "riscv64", 2), None),
    ("sparc64", ("6.12.0", "debian", "13", (), "sparc64", 2), None),
]


@pytest.mark.parametrize("host, newest", [h[1:] for h in HOSTS], ids=[h[0] for h in HOSTS])
def test_the_newest_engine_of_a_host(host: tuple[Any, ...], newest: str | None) -> None:
    found = resolve(*host)
    assert found.newest == newest
    assert (found.rule is None) == (newest == NEWEST)
    if newest is None:
        assert found.remedy


@pytest.mark.parametrize(
    "os_id, release, like, packaged",
    [
        ("centos", "6.10", LIKE, "1.7.1"),
        ("centos", "7", LIKE, "26.1.4"),
        ("ol", "7.9", ("rhel",), "26.1.4"),
        ("centos", "8", LIKE, "26.1.3"),
        ("centos", "9", LIKE, None),
        ("rocky", "8.10", LIKE, None),
        ("almalinux", "8.10", LIKE, None),
        ("debian", "9", (), "19.03.15"),
        ("debian", "10", (), "26.1.4"),
        ("ubuntu", "18.04", ("debian",), "24.0.2"),
        ("debian", "12", (), NEWEST),
        ("linuxmint", "21", ("ubuntu", "debian"), None),
        ("alpine", "3.20", (), None),
    ],
)
def test_the_last_engine_packaged_for_a_release(
    os_id: str, release: str, like: tuple[str, ...], packaged: str | None
) -> None:
    found = resolve("6.1", os_id, release, like, "x86_64", 2)
    assert found.packaged == packaged
    assert is_packaged("1.7.1", found)
    assert is_packaged("99.0", found) is (packaged is None)


def test_what_was_packaged_for_a_release_is_a_rule_too() -> None:
    found = resolve("4.19.0-27-amd64", "debian", "10", (), "x86_64", 1)
    assert found.rule
    assert found.rule.startswith("the last engine packaged for debian 10 is 26.1.4 (as documented")
    assert found.remedy == "upgrade the distribution"


@pytest.mark.parametrize(
    "os_id, release, like, end",
    [
        ("centos", "7", LIKE, "2024-06-30"),
        ("centos", "8", LIKE, "2024-05-31"),
        ("centos", "9", LIKE, "2027-05-31"),
        ("centos", "10", LIKE, None),
        ("rhel", "9.4", ("fedora",), "2032-05-31"),
        ("rhel", "10.1", ("fedora",), "2035-05-31"),
        ("rocky", "8.10", LIKE, "2029-05-31"),
        ("almalinux", "9.6", LIKE, "2032-05-31"),
        ("debian", "13", (), "2030-06-30"),
        ("fedora", "43", (), "2026-12-09"),
        ("amzn", "2", ("centos", "rhel", "fedora"), "2026-06-30"),
        ("amzn", "2023", ("fedora",), "2029-06-30"),
    ],
)
def test_the_end_of_a_release(
    os_id: str, release: str, like: tuple[str, ...], end: str | None
) -> None:
    row = of_release(ENDS, os_id, like, release)
    assert (row and row.end) == end


@pytest.mark.parametrize("cgroup_version, oldest", [(1, None), (2, "20.10"), (None, None)])
def test_the_oldest_engine_for_the_control_groups(
    cgroup_version: int | None, oldest: str | None
) -> None:
    assert resolve("6.1", "debian", "12", (), "x86_64", cgroup_version).oldest == oldest


@pytest.mark.parametrize(
    "os_id, like, release, architecture, command",
    [
        ("centos", LIKE, "6.10", "x86_64", 'want docker_engine.version = "1.7.1"'),
        ("centos", LIKE, "7", "x86_64", "`yum update kernel`"),
        ("rocky", LIKE, "9.4", "x86_64", "`dnf upgrade kernel`"),
        ("fedora", (), "43", "x86_64", "`dnf upgrade kernel`"),
        ("debian", (), "8", "x86_64", "-t jessie-backports linux-image-amd64`"),
        ("debian", (), "12", "aarch64", "`apt-get install linux-image-arm64`"),
        ("ubuntu", ("debian",), "14.04", "x86_64", "linux-generic-lts-xenial"),
        ("ubuntu", ("debian",), "22.04", "x86_64", "linux-generic-hwe-22.04"),
        ("ubuntu", ("debian",), "13.04", "x86_64", "install a kernel of 4.0 or newer"),
        ("gentoo", (), "", "x86_64", "install a kernel of 4.0 or newer"),
    ],
)
def test_how_to_get_a_newer_kernel(
    os_id: str, like: tuple[str, ...], release: str, architecture: str, command: str
) -> None:
    assert command in newer_kernel(os_id, like, release, architecture)


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("3.10.0-1160.el7.x86_64", (3, 10, 0, 1160)),
        ("6.1.0-40-amd64", (6, 1, 0, 40)),
        ("10.0.1-rc1", (10, 0, 1)),
        ("5.15.167.4-microsoft-standard-WSL2", (5, 15, 167, 4)),
        ("unknown", ()),
    ],
)
def test_a_kernels_version(text: str, numbers: tuple[int, ...]) -> None:
    assert kernel_version(text) == numbers
