"""Which Docker engine runs where: tables, each row with the document that says so."""

from __future__ import annotations

from dataclasses import dataclass

Version = tuple[int, ...]

NEWEST = "29.3.0"
"""The newest engine that these tables know; Docker's release notes, March 2026."""


@dataclass(frozen=True)
class KernelRule:
    """Engines from `since` on need a kernel of at least `kernel`; `enterprise` on the RHEL family.

    `last` is the newest engine that needs less.
    """

    since: str
    last: str | None
    kernel: str
    text: str
    source: str
    enterprise: str | None = None


KERNEL_RULES: tuple[KernelRule, ...] = (
    KernelRule(
        "0",
        None,
        "2.6.32-431",
        "no engine is known to run below 2.6.32-431, the kernel of CentOS and RHEL 6.5",
        "Docker 1.7 documentation, Installation on CentOS",
    ),
    KernelRule(
        "1.8",
        "1.7.1",
        "3.10",
        "engines from 1.8 on need 3.10; up to 1.7.1, 2.6.32-431 or later does",
        "Docker documentation, Installation on CentOS (1.7), Install from binaries (3.10)",
    ),
    KernelRule(
        "1.12",
        "1.7.1",
        "3.10",
        "engines from 1.12 to 20.10 look, and refuse to start below 3.10",
        "moby/libnetwork pull request 2576; moby/moby pull request 43253 (taken out in 23.0)",
    ),
    KernelRule(
        "23.0",
        "20.10.27",
        "4.0",
        "engines from 23.0 on need the overlay2 driver, which needs 4.0, "
        "or 3.10.0-514 on RHEL and CentOS",
        "docs.docker.com, OverlayFS storage driver; Deprecated features (devicemapper, 23.0 and "
        "25.0; aufs and overlay, 24.0)",
        enterprise="3.10.0-514",
    ),
)


@dataclass(frozen=True)
class CgroupRule:
    version: int
    oldest: str
    source: str


CGROUP_RULES: tuple[CgroupRule, ...] = (
    CgroupRule(2, "20.10", "docker/docs commit b52599b, documentation of 20.10"),
)


@dataclass(frozen=True)
class Architecture:
    """Where engines exist for a machine; `systems` None: everywhere."""

    machines: tuple[str, ...]
    systems: tuple[str, ...] | None
    newest: str | None
    text: str
    source: str


_PLATFORMS = "docs.docker.com, Install Docker Engine, supported platforms"

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(("x86_64", "amd64"), None, NEWEST, "everywhere", _PLATFORMS),
    Architecture(("aarch64", "arm64"), None, NEWEST, "everywhere", _PLATFORMS),
    Architecture(
        ("armv7l", "armv8l"),
        ("debian", "ubuntu", "raspbian"),
        NEWEST,
        "32-bit ARM is packaged for Debian and Ubuntu alone",
        _PLATFORMS,
    ),
    Architecture(
        ("armv6l",),
        ("raspbian",),
        "28.5.2",
        "engines from 29 on need ARMv7; Raspbian's own packages end with 28",
        "Docker Engine 29.0 release notes; docker/packaging pull request 336",
    ),
    Architecture(
        ("ppc64le",),
        ("centos", "debian", "fedora", "ubuntu"),
        NEWEST,
        "packaged for CentOS, Debian, Fedora and Ubuntu",
        _PLATFORMS,
    ),
    Architecture(
        ("s390x",),
        ("rhel", "sles", "ubuntu", "debian"),
        NEWEST,
        "packaged for RHEL, SLES, Ubuntu and, by the distribution, Debian",
        f"{_PLATFORMS}; packages.debian.org, docker-cli",
    ),
    Architecture(
        ("riscv64",),
        ("debian", "alpine"),
        NEWEST,
        "packaged by Debian 13 and Alpine themselves, not by Docker",
        "packages.debian.org, docker-cli; pkgs.alpinelinux.org, docker-engine",
    ),
    Architecture(
        ("i686", "i586", "i486", "i386", "x86"),
        (),
        None,
        "no engine is made for 32-bit x86: the Docker engine needs a 64-bit host",
        "docs.docker.com, Install Docker Engine from binaries (a 64-bit installation)",
    ),
)


@dataclass(frozen=True)
class Packaged:
    """The last engine that was packaged for a release of a distribution."""

    systems: tuple[str, ...]
    release: str
    newest: str
    source: str


PACKAGED: tuple[Packaged, ...] = (
    Packaged(("centos", "rhel"), "6", "1.7.1", "Docker 1.7 documentation, Installation on CentOS"),
    Packaged(("centos", "rhel"), "7", "26.1.4", "docker/docker-ce-packaging pull request 1028"),
    Packaged(("centos",), "8", "26.1.3", "docker/cli issue 5364"),
    Packaged(("debian",), "9", "19.03.15", "docker/docker-ce-packaging pull request 476"),
    Packaged(
        ("debian", "raspbian"), "10", "26.1.4", "docker/docker-ce-packaging pull request 1027"
    ),
    Packaged(("debian",), "11", NEWEST, "docs.docker.com, Install Docker Engine on Debian"),
    Packaged(("debian",), "12", NEWEST, "docs.docker.com, Install Docker Engine on Debian"),
    Packaged(("debian",), "13", NEWEST, "docs.docker.com, Install Docker Engine on Debian"),
    Packaged(("ubuntu",), "14.04", "18.06.3", "docker/docker-ce-packaging pull request 253"),
    Packaged(("ubuntu",), "16.04", "20.10.7", "docker/docker-ce-packaging pull request 560"),
    Packaged(("ubuntu",), "18.04", "24.0.2", "docker/docker-ce-packaging pull request 911"),
    Packaged(("ubuntu",), "20.04", "28.1.1", "docker/containerd-packaging pull request 421"),
    Packaged(("ubuntu",), "22.04", NEWEST, _PLATFORMS),
    Packaged(("ubuntu",), "24.04", NEWEST, _PLATFORMS),
)


@dataclass(frozen=True)
class Remedy:
    """How a release gets a newer kernel; `{image}` is Debian's name of a kernel for the machine."""

    systems: tuple[str, ...]
    release: str
    """A prefix; empty: any."""
    command: str
    source: str


_HWE = "packages.ubuntu.com, hardware enablement kernels"

REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        ("centos", "rhel"),
        "6",
        "release 6 has no kernel but 2.6.32 (`yum update kernel` gives its last): install release "
        '8 or newer, or want docker_engine.version = "1.7.1"',
        "Docker 1.7 documentation, Installation on CentOS",
    ),
    Remedy(
        ("centos", "rhel"), "7", "`yum update kernel`, then reboot", "RHEL 7 kernel 3.10.0-1160"
    ),
    Remedy(
        ("centos", "rhel", "fedora"), "", "`dnf upgrade kernel`, then reboot", "RHEL 8 and later"
    ),
    Remedy(
        ("debian",),
        "8",
        "`apt-get install -t jessie-backports {image}`, then reboot",
        "Debian 8 ships 3.16, its backports 4.9",
    ),
    Remedy(("debian",), "", "`apt-get install {image}`, then reboot", "Debian 9 ships 4.9"),
    Remedy(
        ("ubuntu",),
        "14.04",
        "`apt-get install --install-recommends linux-generic-lts-xenial`, then reboot",
        _HWE,
    ),
    *(
        Remedy(
            ("ubuntu",),
            release,
            f"`apt-get install --install-recommends linux-generic-hwe-{release}`, then reboot",
            _HWE,
        )
        for release in ("16.04", "18.04", "20.04", "22.04", "24.04")
    ),
)

DEBIAN_IMAGES = {
    "x86_64": "linux-image-amd64",
    "aarch64": "linux-image-arm64",
    "armv7l": "linux-image-armmp",
    "ppc64le": "linux-image-powerpc64le",
    "s390x": "linux-image-s390x",
    "riscv64": "linux-image-riscv64",
}


@dataclass(frozen=True)
class Release:
    """When nobody mends a release any more without being paid: `end` as `YYYY-MM-DD`."""

    systems: tuple[str, ...]
    release: str
    end: str
    source: str


_DEBIAN = "wiki.debian.org, DebianReleases and LTS"
_UBUNTU = "wiki.ubuntu.com, Releases"
_REDHAT = "access.redhat.com, Red Hat Enterprise Linux Life Cycle"
_FEDORA = "docs.fedoraproject.org, Fedora Linux Release Life Cycle"

ENDS: tuple[Release, ...] = (
    Release(("debian",), "8", "2020-06-30", _DEBIAN),
    Release(("debian",), "9", "2022-07-01", _DEBIAN),
    Release(("debian",), "10", "2024-06-30", _DEBIAN),
    Release(("debian",), "11", "2026-08-31", _DEBIAN),
    Release(("debian",), "12", "2028-06-30", _DEBIAN),
    Release(("debian",), "13", "2030-06-30", _DEBIAN),
    Release(("ubuntu",), "14.04", "2019-04-02", _UBUNTU),
    Release(("ubuntu",), "16.04", "2021-04-02", _UBUNTU),
    Release(("ubuntu",), "18.04", "2023-05-31", _UBUNTU),
    Release(("ubuntu",), "20.04", "2025-05-31", _UBUNTU),
    Release(("ubuntu",), "22.04", "2027-04-01", _UBUNTU),
    Release(("ubuntu",), "24.04", "2029-05-31", _UBUNTU),
    Release(("ubuntu",), "26.04", "2031-04-30", _UBUNTU),
    Release(("rhel", "centos"), "6", "2020-11-30", _REDHAT),
    Release(("rhel", "centos"), "7", "2024-06-30", _REDHAT),
    Release(("centos",), "8", "2024-05-31", "blog.centos.org, end dates of CentOS Stream 8"),
    Release(("centos",), "9", "2027-05-31", "centos.org, CentOS Stream 9"),
    Release(("rhel",), "8", "2029-05-31", _REDHAT),
    Release(("rhel",), "9", "2032-05-31", _REDHAT),
    Release(("rhel",), "10", "2035-05-31", _REDHAT),
    Release(("amzn",), "2", "2026-06-30", "aws.amazon.com, Amazon Linux 2 FAQs"),
    Release(("amzn",), "2023", "2029-06-30", "docs.aws.amazon.com, AL2023 release cadence"),
    Release(("fedora",), "39", "2024-11-26", _FEDORA),
    Release(("fedora",), "40", "2025-05-13", _FEDORA),
    Release(("fedora",), "41", "2025-12-15", _FEDORA),
    Release(("fedora",), "42", "2026-05-13", _FEDORA),
    Release(("fedora",), "43", "2026-12-09", _FEDORA),
)
