"""The typed picture of one host, as the probe read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from roles.observed.fitness import Fitness
from roles.observed.lease import Lease
from roles.observed.releases import Releases
from roles.observed.setup import Setup

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Address:
    interface: str
    ip: IpAddress
    prefix: int
    flags: frozenset[str] = frozenset()
    """What the kernel says of it: `temporary`, `deprecated`, or `dadfailed` (another has it)."""


@dataclass(frozen=True)
class Route:
    """A way of the main routing table; one line of it with several next hops is several."""

    to: IpNetwork
    interface: str
    source: IpAddress | None
    """None where the kernel chooses."""
    metric: int
    via: IpAddress | None = None
    """The next hop; None where the target is on the link."""


@dataclass(frozen=True)
class Service:
    """A service as the init system tells it; all False where it does not exist."""

    enabled: bool = False
    """Whether it is started at a boot."""
    active: bool = False
    masked: bool = False
    """Whether somebody has forbidden to start it."""


@dataclass(frozen=True)
class Path:
    """What stands at a path that was asked for; `owner` is `UID:GID`, `mode` octal."""

    kind: str
    owner: str
    mode: str


@dataclass(frozen=True)
class Newest:
    """Of files whose names end with a version, the newest."""

    version: str
    """Hexadecimal."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """`id` is `sha256:...`; `layers` are the diff IDs of the root file system, base first."""

    id: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Container:
    """A container; `inspect` is Docker's own, and there for Dockyard's containers alone."""

    name: str
    image: str
    running: bool
    """Also one that is paused: it holds its ports, and callers find it."""
    inspect: Mapping[str, Any] | None = None
    image_config: Mapping[str, Any] | None = None
    """What the image that it was made from says; None where that is not known."""
    updated: Mapping[str, Any] = field(default_factory=dict)
    """The fields of its spec that Dockyard last updated in place; empty where it never has."""

    @property
    def is_paused(self) -> bool:
        return bool(((self.inspect or {}).get("State") or {}).get("Paused"))

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = (self.inspect or {}).get("Config", {}).get("Labels") or {}
        return labels

    @property
    def environment(self) -> Mapping[str, str]:
        """Every variable of a container of ours, the image's own too."""
        lines = (self.inspect or {}).get("Config", {}).get("Env") or []
        named = (line.partition("=") for line in lines)
        return {name: value for name, _, value in named}


@dataclass(frozen=True)
class Drained:
    """A host that somebody has sent away for a while. Both times are seconds since 1970."""

    by: str
    """`USER@MACHINE`."""
    since: int
    until: int
    reason: str
    is_leaving: bool = False
    """Whether nobody has confirmed yet that it is called no more."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Drained:
        """Read what a record says, or a mark, whose values are texts.

        Raises:
            KeyError, TypeError, ValueError: it is neither, or names a time that no calendar has.
        """
        try:
            times = {key: int(told[key]) for key in ("since", "until")}
            for at in times.values():
                datetime.fromtimestamp(at, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"expected seconds since 1970: {error}") from error
        return cls(
            by=str(told["by"]),
            reason=str(told["reason"]),
            is_leaving=str(told.get("is_leaving")) == "True",
            **times,
        )

    def __str__(self) -> str:
        since, until = (datetime.fromtimestamp(at, UTC) for at in (self.since, self.until))
        left = " (it may be called still: that was never confirmed)" if self.is_leaving else ""
        return f"by {self.by} since {since:%F %T} until {until:%F %T} UTC: {self.reason}{left}"


@dataclass(frozen=True)
class Observed:
    """Everything that one probe read from one host."""

    user_id: int
    kernel: str
    architecture: str
    userland_bits: int
    os_id: str
    os_version: str
    os_like: tuple[str, ...]
    os_codename: str
    init: str
    cgroup_version: int | None
    cgroup_controllers: frozenset[str]
    has_overlay: bool
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]
    packages: Mapping[str, str]
    """The packages of container engines that are installed, whole or in part, with versions."""
    docker_service: Service
    unfinished: frozenset[str] = frozenset()
    """Those of `packages` whose installation was cut off half-way."""
    held: frozenset[str] = frozenset()
    """Package names that a system upgrade leaves alone."""
    daemon_json: str | None = None
    """The text of the engine's configuration; None where there is no such file."""
    docker_version: str | None = None
    """The engine's version; None where no engine answers."""
    docker_error: str | None = None
    """Why the engine does not answer, in Docker's words; None where it does, or is not there."""
    docker_hangs: bool = False
    storage_driver: str | None = None
    images: tuple[Image, ...] = ()
    containers: tuple[Container, ...] = ()
    networks: frozenset[str] = frozenset()
    """The engine's networks, by name; empty where it tells none, or was not asked."""
    paths: Mapping[str, Path] = field(default_factory=dict)
    """The paths that were asked for and exist."""
    first_lines: Mapping[str, str] = field(default_factory=dict)
    """The first line of each file that was asked for and exists."""
    newest: Mapping[str, Newest] = field(default_factory=dict)
    """Of each path that was asked for, the file with the greatest version behind it."""
    sums: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each file that was asked for and exists, in hexadecimal."""
    resolved: Mapping[str, IpAddress] = field(default_factory=dict)
    """What the host resolves the names to that were asked for."""
    drained: Drained | None = None
    """By whom, and until when; None where nobody has, or the time is over by the host's clock."""
    fitness: Fitness = field(default_factory=Fitness)
    lease: Lease = field(default_factory=Lease)
    """Its generation is of before anything else was read, its holder of after that."""
    releases: Releases = field(default_factory=Releases)
    setup: Setup = field(default_factory=Setup)
    clock_skew_s: float | None = None
    """How far the host's clock is ahead of ours; 0 where the probe's own time explains it."""

    @property
    def engine_silence(self) -> str | None:
        """Why the engine does not tell which containers there are; None where it does, or is none.

        Those of an engine that is stopped may run on.
        """
        if self.docker_hangs:
            return "its Docker engine hangs: it did not answer in time"
        if self.docker_error is None:
            return None
        does = "runs and does not answer" if self.docker_service.active else "is stopped"
        return f"its Docker engine {does}: {self.docker_error}"

    @property
    def hides_containers(self) -> bool:
        """Whether its engine does not tell of containers that were deployed here: they may run."""
        return self.engine_silence is not None and self.releases.current_name is not None

    def container(self, name: str) -> Container | None:
        return next((c for c in self.containers if c.name == name), None)

    def image(self, tag: str) -> Image | None:
        return next((image for image in self.images if tag in image.tags), None)
