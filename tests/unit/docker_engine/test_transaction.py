from __future__ import annotations

import pytest

from roles.docker_engine.transaction import Transaction, parse

APT = """\
pin|docker-ce|5:26.1.5-1~debian.12~bookworm
pin|docker-ce-cli|5:26.1.5-1~debian.12~bookworm
down|docker-ce docker-ce-cli
down|iptables
held|docker-ce libseccomp2
held|iptables
apt|Remv docker.io [20.10.24+dfsg1-1]
apt|Remv gone
apt|Inst containerd.io (1.6.33-1 Docker CE:bookworm [amd64])
apt|Inst docker-ce [5:27.0.1-1] (5:26.1.5-1~debian.12~bookworm Docker CE:bookworm [amd64])
apt|Inst iptables [1.8.9-3] (1.8.9-2 Debian:12/stable [amd64]) []
apt|Inst libseccomp2:i386 [2.5.4-1] (2.5.4-2 Debian:12/stable [i386])
apt|Inst pigz (2.6-1 Debian:12/stable [amd64]) [docker-ce:amd64 ]
"""


def test_what_apt_would_do() -> None:
    assert parse(APT) == Transaction(
        pins={
            "docker-ce": "5:26.1.5-1~debian.12~bookworm",
            "docker-ce-cli": "5:26.1.5-1~debian.12~bookworm",
        },
        installs={"containerd.io": "1.6.33-1", "pigz": "2.6-1"},
        upgrades={"libseccomp2:i386": "2.5.4-2"},
        downgrades={"docker-ce": "5:26.1.5-1~debian.12~bookworm", "iptables": "1.8.9-2"},
        removals={"docker.io": "20.10.24+dfsg1-1", "gone": ""},
        held=("docker-ce", "libseccomp2", "iptables"),
    )


DNF = """\
pin|docker-ce|3:26.1.5-1.el9
pin|docker-ce-cli|1:26.1.5-1.el9
dnf|Last metadata expiration check: 0:00:01 ago on Tue Nov 24 10:00:00 2026.
dnf|Dependencies resolved.
dnf|================================================================================
dnf| Package           Arch    Version               Repository                 Size
dnf|================================================================================
dnf|Installing:
dnf| containerd.io     x86_64  1.6.33-3.1.el9        docker-ce-stable           35 M
dnf|     replacing  containerd.x86_64 1.6.23-1.el9
dnf|     replacing  runc.x86_64 4:1.1.12-1.el9
dnf| docker-ce-rootless-extras
dnf|                   x86_64  26.1.5-1.el9          docker-ce-stable          5.0 M
dnf|Upgrading:
dnf| docker-ce         x86_64  3:26.1.5-1.el9        docker-ce-stable           27 M
dnf|Installing dependencies:
dnf| libcgroup         x86_64  0.41-19.el9           baseos                     70 k
dnf|Installing weak dependencies:
dnf| docker-compose-plugin
dnf|                   x86_64  2.27.1-1.el9          docker-ce-stable           13 M
dnf|Downgrading:
dnf| docker-ce-cli     x86_64  1:26.1.5-1.el9        docker-ce-stable          7.7 M
dnf|Reinstalling:
dnf| tar               x86_64  2:1.34-6.el9          baseos                    876 k
dnf|Removing:
dnf| moby-engine       x86_64  24.0.5-1.fc39         @updates                   60 M
dnf|Removing dependent packages:
dnf| podman-compose    noarch  1.0.6-4.el9           @epel                     200 k
dnf|Removing unused dependencies:
dnf| catatonit         x86_64  4:0.1.7-1             @appstream                1.4 M
dnf|
dnf|Transaction Summary
dnf|================================================================================
dnf|Install    5 Packages
dnf|Upgrade    1 Package
dnf|
dnf|Total download size: 88 M
dnf|Operation aborted.
"""


def test_what_dnf_would_do() -> None:
    assert parse(DNF) == Transaction(
        pins={"docker-ce": "3:26.1.5-1.el9", "docker-ce-cli": "1:26.1.5-1.el9"},
        installs={
            "containerd.io": "1.6.33-3.1.el9",
            "docker-ce-rootless-extras": "26.1.5-1.el9",
            "libcgroup": "0.41-19.el9",
            "docker-compose-plugin": "2.27.1-1.el9",
        },
        upgrades={"docker-ce": "3:26.1.5-1.el9"},
        downgrades={"docker-ce-cli": "1:26.1.5-1.el9"},
        removals={
            "containerd": "1.6.23-1.el9",
            "runc": "4:1.1.12-1.el9",
            "moby-engine": "24.0.5-1.fc39",
            "podman-compose": "1.0.6-4.el9",
            "catatonit": "4:0.1.7-1",
        },
    )


DNF_5 = """\
dnf|Package                 Arch   Version          Repository            Size
dnf|Installing:
dnf| docker-ce              x86_64 3:26.1.5-1.fc41  docker-ce-stable 104.2 MiB
dnf|   replacing podman-docker x86_64 5:5.2.3-1.fc41 updates        1.2 KiB
dnf|Upgrading:
dnf| containerd.io          x86_64 1.6.33-3.1.fc41  docker-ce-stable 122.5 MiB
dnf|   replacing containerd.io x86_64 1.6.32-3.1.fc41 docker-ce-stable 122.5 MiB
dnf|
dnf|Transaction Summary:
"""


def test_what_dnf_5_would_do() -> None:
    assert parse(DNF_5) == Transaction(
        installs={"docker-ce": "3:26.1.5-1.fc41"},
        upgrades={"containerd.io": "1.6.33-3.1.fc41"},
        removals={"podman-docker": "5:5.2.3-1.fc41"},
    )


@pytest.mark.parametrize(
    "output",
    ["", "\n", "say: waiting for process 12 (apt)\n", "apt|Conf docker.io (20.10 Debian [amd64])"],
    ids=["nothing", "empty-line", "words", "configures"],
)
def test_what_tells_of_no_package(output: str) -> None:
    assert parse(output) == Transaction()


def test_dnf_has_nothing_to_do() -> None:
    assert parse("pin|docker-ce|3:26-1\ndnf|Dependencies resolved.\ndnf|Nothing to do.\n") == (
        Transaction(pins={"docker-ce": "3:26-1"})
    )


def test_the_version_of_a_package() -> None:
    found = Transaction(
        pins={"a": "1"},
        installs={"a": "9", "b": "2"},
        upgrades={"c": "3"},
        downgrades={"d": "4"},
        removals={"e": "5"},
    )
    assert [found.version_of(name) for name in "abcdef"] == ["1", "2", "3", "4", None, None]
