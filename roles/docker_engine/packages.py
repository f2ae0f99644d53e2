"""Which packages an engine consists of, by distribution and source: tables, and their readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from roles.observed import Observed

Family = Literal["deb", "rpm"]

FAMILY: Mapping[str, Family] = {
    "debian": "deb",
    "ubuntu": "deb",
    "rhel": "rpm",
    "centos": "rpm",
    "fedora": "rpm",
    "amzn": "rpm",
}
"""By ID or ID_LIKE of os-release: who installs packages there, apt or dnf (yum)."""

VENDOR = ("docker-ce", "docker-ce-cli", "containerd.io")
"""Docker's own packages, the engine first (docs.docker.com, "Install Docker Engine")."""


@dataclass(frozen=True)
class DistroEngine:
    """The engine that a distribution brings itself, from this release on."""

    os_id: str
    since: tuple[int, ...]
    packages: tuple[str, ...]
    source: str


DISTRO = (
    DistroEngine("debian", (13,), ("docker.io", "docker-cli"), "Debian 13: docker.io, docker-cli"),
    DistroEngine("debian", (10,), ("docker.io",), "Debian 10 to 12: docker.io"),
    DistroEngine("ubuntu", (18, 4), ("docker.io",), "Ubuntu 18.04 and later: docker.io"),
    DistroEngine("fedora", (41,), ("moby-engine", "docker-cli"), "Fedora 41: changes/Moby"),
    DistroEngine("fedora", (31,), ("moby-engine",), "Fedora 31 to 40: moby-engine"),
    DistroEngine("amzn", (2,), ("docker",), "Amazon Linux 2 and 2023: docker"),
)
"""The newest first. RHEL and its rebuilds have had none since 8."""

COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "docker-ce": (
        *VENDOR,
        "docker-ce-rootless-extras",
        "docker-buildx-plugin",
        "docker-compose-plugin",
    ),
    "docker.io": ("docker.io", "docker-cli", "docker-buildx", "containerd", "runc"),
    "moby-engine": ("moby-engine", "docker-cli", "containerd", "runc"),
    "docker": ("docker", "docker-client", "docker-common", "containerd", "runc"),
    "docker-ee": ("docker-ee", "docker-ee-cli", "containerd.io"),
    "docker-engine": ("docker-engine", "docker-engine-selinux"),
    "lxc-docker": ("lxc-docker",),
}
"""An engine's package to all that belong to it: they are held, and they go, together."""

ALL = frozenset(name for names in COMPANIONS.values() for name in names)


def family(observed: Observed) -> Family | None:
    """Who installs packages on a host; None where that is not known."""
    return next((FAMILY[id] for id in (observed.os_id, *observed.os_like) if id in FAMILY), None)


def distro_packages(observed: Observed) -> tuple[str, ...]:
    """The packages of the distribution's own engine; none where it has none, or is not known."""
    release = tuple(int(part) for part in observed.os_version.split(".") if part.isdecimal())
    for row in DISTRO:
        if row.os_id == observed.os_id and release >= row.since:
            return row.packages
    return ()


def installed_engine(observed: Observed) -> str | None:
    """The package of the engine that a host has, whole or in part; None where it has none.

    Debian's own `docker` is a dock for window managers.
    """
    foreign = {"docker"} if family(observed) == "deb" else set()
    return next((n for n in COMPANIONS if n in observed.packages and n not in foreign), None)


def installed_set(observed: Observed) -> tuple[str, ...]:
    """All packages that belong to the engine that a host has, the engine first."""
    engine = installed_engine(observed)
    return tuple(n for n in COMPANIONS.get(engine or "", ()) if n in observed.packages)


def named_in(file_name: str) -> tuple[str, str] | None:
    """Package and version that a file's name tells; None where it is no package's.

    `docker-ce_26.1.5-1~debian.12~bookworm_amd64.deb`, `docker-ce-26.1.5-1.el9.x86_64.rpm`: neither
    has the epoch. Some servers write `%2B` for `+`.
    """
    stem, _, kind = file_name.rpartition(".")
    words = stem.split("_") if kind == "deb" else stem.rpartition(".")[0].rsplit("-", 2)
    if kind not in ("deb", "rpm") or len(words) != 3 or not all(words):
        return None
    version = words[1] if kind == "deb" else f"{words[1]}-{words[2]}"
    return words[0], unquote(version).rpartition(":")[2]
