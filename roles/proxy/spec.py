"""What the user says of the proxy."""

from __future__ import annotations

from roles.container.part import Mount, PartSpec
from roles.run.model import AbsolutePath, Data, Port


class ProxyStatus(Data):
    """Where a proxy tells which engines it knows, and in which state."""

    port: Port
    path: AbsolutePath = "/status"


class ProxySpec(PartSpec):
    port: Port
    container_port: Port = 2080
    """What the image listens on behind a published port."""
    data: Mount | None = None
    """Where the last known list of engines survives a restart; None: the image keeps none."""
    registration: AbsolutePath | None = None
    """The registry path under which a proxy's node `ADDRESS:PORT` stands; None: not provable."""
    status: ProxyStatus | None = None
    """None: what the proxy knows is not provable."""

    @property
    def mounts(self) -> list[Mount]:
        return [self.logs, *([self.data] if self.data else [])]

    @property
    def ports(self) -> list[tuple[int, int]]:
        status = [(self.status.port, self.status.port)] if self.status else []
        return [(self.port, self.container_port), *status]
