"""What the user may say of any part that runs as a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from roles.container.options import (
    BOUNDED_LOG_DRIVERS,
    DEFAULT_LOG_OPTIONS,
    Arguments,
    Capabilities,
    ContainerName,
    Cpus,
    Environment,
    HealthOrNone,
    Labels,
    LogDriver,
    LogOptions,
    Network,
    Owner,
    Program,
    Restart,
    Tmpfs,
    Ulimits,
    Volumes,
)
from roles.images.spec import ImageSource
from roles.run.model import AbsolutePath, Data, Seconds


class Mount(Data):
    """A directory of the host, and where the container sees it."""

    host: AbsolutePath
    container: AbsolutePath


class PartSpec(Data):
    """One container per host of the part's group."""

    container: ContainerName
    """The container's name on its host."""
    image: ImageSource
    logs: Mount
    entrypoint: Program | None = None
    """The program that runs; None: the image decides. Its arguments are `command`."""
    command: Arguments | None = None
    """None: the image decides."""
    network: Network = "bridge"
    """`bridge`, `host`, or a network that exists on the host."""
    environment: Environment = Field(default_factory=dict)
    labels: Labels = Field(default_factory=dict)
    volumes: Volumes = Field(default_factory=list)
    """More than the part's own directories: `HOST_PATH:CONTAINER_PATH[:ro]`. Dockyard makes none
    of these on the host."""
    user: Owner | None = None
    """Who runs in the container and owns its directories on the host; None: the image decides."""
    cap_drop: Capabilities | None = None
    """None: all where `user` is said, else none."""
    cap_add: Capabilities = Field(default_factory=list)
    no_new_privileges: bool | None = None
    """None: true where `user` is said."""
    read_only: bool = False
    """Whether the image's own files can't be written. Volumes and `tmpfs` can."""
    tmpfs: Tmpfs = Field(default_factory=dict)
    """Path to options (`size=16m,mode=1777`; `""` for Docker's own)."""
    restart: Restart = "unless-stopped"
    memory_mb: Annotated[int, Field(ge=16)] | None = None
    """As much again may be swapped."""
    cpus: Cpus | None = None
    pids: Annotated[int, Field(ge=8)] | None = None
    ulimits: Ulimits = Field(default_factory=dict)
    """Name to `SOFT:HARD`, as {"nofile": "1024:4096"}; -1 for no limit."""
    health: HealthOrNone = None
    """None: the image's own check; `none`: no check."""
    log_driver: LogDriver = "json-file"
    log_options: LogOptions | None = None
    """None: three files of 10 MB, where the driver keeps files."""
    stop_timeout_s: Seconds = 30
    """How long the container may take to end after SIGTERM, before Docker kills it."""
    ready_timeout_s: Seconds = 120
    """How long it may take, once started, to be what it should be."""

    @property
    def mounts(self) -> list[Mount]:
        return [self.logs]

    @property
    def host_ports(self) -> list[int]:
        """Every TCP port of the host that the part takes, or may take."""
        return [port for port, _ in self.ports]

    @property
    def ports(self) -> list[tuple[int, int]]:
        """The TCP ports of the host that the part takes now, and the container's behind each."""
        return []

    @property
    def dropped(self) -> list[str]:
        if self.cap_drop is None:
            return ["ALL"] if self.user else []
        return self.cap_drop

    @property
    def gains_no_privileges(self) -> bool:
        return bool(self.user) if self.no_new_privileges is None else self.no_new_privileges

    @property
    def bounded_log(self) -> Mapping[str, str]:
        if self.log_options is not None:
            return self.log_options
        return DEFAULT_LOG_OPTIONS if self.log_driver in BOUNDED_LOG_DRIVERS else {}

    @model_validator(mode="after")
    def _places_are_distinct(self) -> PartSpec:
        places = [mount.container for mount in self.mounts]
        places += [volume.split(":")[1] for volume in self.volumes]
        places += self.tmpfs
        for place in places:
            if places.count(place) > 1:
                raise ValueError(f"found '{place}' mounted more than once in the container")
        return self
