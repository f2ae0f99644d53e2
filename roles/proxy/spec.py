"""What the user says of the proxy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from roles.container.part import Mount, PartSpec
from roles.registry.node import Registration
from roles.run.model import AbsolutePath, Data, Port, Seconds


class ProxyStatus(Data):
    """Where a proxy tells which engines it knows, and in which state."""

    port: Port
    path: AbsolutePath = "/status"


class ProxyDrain(Data):
    """How a proxy is asked to leave the registry, so that callers turn to others, and to serve on.

    `mark`: it does so while a node `/osp/drain/ADDRESS:PORT` stands.
    """

    by: Literal["mark"] = "mark"
    timeout_s: Seconds = 60


class ProxySpec(PartSpec):
    port: Port
    container_port: Port = 2080
    """What the image listens on behind a published port."""
    data: Mount | None = None
    """Where the last known list of engines survives a restart; None: the image keeps none."""
    registration: Registration | None = None
    """The path of the proxy's node in the registry; None: not provable."""
    status: ProxyStatus | None = None
    """None: what the proxy knows is not provable."""
    drain: ProxyDrain | None = None
    """None: it knows no drain; callers notice when it stops."""
    handover: bool = False
    """Whether a new container takes over the listeners of the one that runs, started beside it with
    the same data directory. False: one is stopped before the other is started."""

    @model_validator(mode="after")
    def _handover_can_be_seen(self) -> Self:
        if self.handover and not (self.network == "host" and self.data and self.status):
            raise ValueError(
                "'handover' needs network 'host', and a 'data' directory and a 'status' endpoint"
            )
        return self

    @property
    def mounts(self) -> list[Mount]:
        return [self.logs, *([self.data] if self.data else [])]

    @property
    def ports(self) -> list[tuple[int, int]]:
        status = [(self.status.port, self.status.port)] if self.status else []
        return [(self.port, self.container_port), *status]
