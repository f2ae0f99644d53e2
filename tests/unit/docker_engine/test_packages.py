from __future__ import annotations

from typing import Any

import pytest

from roles.docker_engine.packages import (
    distro_packages,
    family,
    installed_engine,
    installed_set,
    named_in,
)
from tests.unit.build import bare

ROCKY = {"os_id": "rocky", "os_version": "9.4", "os_like": ("rhel", "centos", "fedora")}


@pytest.mark.parametrize(
    "os_id, os_like, expected",
    [
        ("debian", (), "deb"),
        ("ubuntu", ("debian",), "deb"),
        ("linuxmint", ("ubuntu", "debian"), "deb"),
        ("fedora", (), "rpm"),
        ("rhel", ("fedora",), "rpm"),
        ("rocky", ("rhel", "centos", "fedora"), "rpm"),
        ("amzn", ("fedora",), "rpm"),
        ("opensuse-leap", ("suse", "opensuse"), None),
        ("alpine", (), None),
        ("", (), None),
    ],
    ids=str,
)
def test_family(os_id: str, os_like: tuple[str, ...], expected: str | None) -> None:
    assert family(bare(os_id=os_id, os_like=os_like)) == expected


@pytest.mark.parametrize(
    "os_id, os_version, expected",
    [
        ("debian", "9", ()),
        ("debian", "10", ("docker.io",)),
        ("debian", "12", ("docker.io",)),
        ("debian", "13", ("docker.io", "docker-cli")),
        ("debian", "14", ("docker.io", "docker-cli")),
        ("debian", "", ()),
        ("ubuntu", "16.04", ()),
        ("ubuntu", "18.04", ("docker.io",)),
        ("ubuntu", "24.04", ("docker.io",)),
        ("fedora", "30", ()),
        ("fedora", "40", ("moby-engine",)),
        ("fedora", "41", ("moby-engine", "docker-cli")),
        ("amzn", "2", ("docker",)),
        ("amzn", "2023", ("docker",)),
        ("rocky", "9.4", ()),
        ("linuxmint", "22", ()),
        ("", "", ()),
    ],
)
def test_the_distributions_own_packages(
    os_id: str, os_version: str, expected: tuple[str, ...]
) -> None:
    assert distro_packages(bare(os_id=os_id, os_version=os_version)) == expected


@pytest.mark.parametrize(
    "host, packages, engine, whole",
    [
        ({}, [], None, ()),
        ({}, ["containerd", "runc", "docker-cli"], None, ()),
        ({}, ["runc", "containerd", "docker.io"], "docker.io", ("docker.io", "containerd", "runc")),
        (
            {},
            ["containerd.io", "docker-ce", "docker-buildx-plugin", "docker-scan-plugin"],
            "docker-ce",
            ("docker-ce", "containerd.io", "docker-buildx-plugin"),
        ),
        ({}, ["docker"], None, ()),
        (ROCKY, ["docker", "docker-common"], "docker", ("docker", "docker-common")),
        (ROCKY, ["moby-engine", "runc"], "moby-engine", ("moby-engine", "runc")),
        (ROCKY, ["podman-docker"], None, ()),
        ({}, ["lxc-docker"], "lxc-docker", ("lxc-docker",)),
    ],
    ids=[
        "none",
        "no-engine",
        "docker.io",
        "docker-ce",
        "a-dock-of-debian",
        "docker-of-rhel",
        "moby",
        "podman",
        "lxc-docker",
    ],
)
def test_what_a_host_has(
    host: dict[str, Any], packages: list[str], engine: str | None, whole: tuple[str, ...]
) -> None:
    observed = bare(**host, packages=dict.fromkeys(packages, "1"))
    assert installed_engine(observed) == engine
    assert installed_set(observed) == whole


@pytest.mark.parametrize(
    "file_name, expected",
    [
        (
            "docker-ce_26.1.5-1~debian.12~bookworm_amd64.deb",
            ("docker-ce", "26.1.5-1~debian.12~bookworm"),
        ),
        ("docker-ce_5%3a26.1.5-1_amd64.deb", ("docker-ce", "26.1.5-1")),
        ("docker-ce_5%3A26.1.5-1_amd64.deb", ("docker-ce", "26.1.5-1")),
        ("docker.io_20.10.24%2Bdfsg1-1%2Bb6_amd64.deb", ("docker.io", "20.10.24+dfsg1-1+b6")),
        ("containerd.io_1.6.33-1_arm64.deb", ("containerd.io", "1.6.33-1")),
        ("docker-ce-26.1.5-1.el9.x86_64.rpm", ("docker-ce", "26.1.5-1.el9")),
        ("docker-ce-cli-26.1.5-1.el9.x86_64.rpm", ("docker-ce-cli", "26.1.5-1.el9")),
        ("containerd.io-1.6.33-3.1.el9.noarch.rpm", ("containerd.io", "1.6.33-3.1.el9")),
        ("docker-26.1.5.tgz", None),
        ("docker-ce.deb", None),
        ("docker-ce_26.1.5.deb", None),
        ("docker-ce_26.1.5_amd64.rpm", None),
        ("_26.1.5_amd64.deb", None),
        ("docker-ce.rpm", None),
        (".deb", None),
        ("", None),
    ],
)
def test_what_a_files_name_tells(file_name: str, expected: tuple[str, str] | None) -> None:
    assert named_in(file_name) == expected
