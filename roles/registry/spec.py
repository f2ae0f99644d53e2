"""What the user says of the registry."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from roles.container.part import Mount, PartSpec
from roles.run.model import Data, Port

PEER_PORTS = (2888, 3888)
"""Where ZooKeeper's servers speak with each other, and elect a leader."""

_CONNECTION = re.compile(r"[\w.-]+:\d{1,5}(,[\w.-]+:\d{1,5})*")


def _connection(value: str) -> str:
    if not _CONNECTION.fullmatch(value):
        raise ValueError(f"expected 'host:port,host:port,...', found '{value}'")
    return value


class RegistryServer(PartSpec):
    """A ZooKeeper server of ours; the hosts of the group `registry` form the ensemble."""

    port: Port
    data: Mount
    heap_mb: Annotated[int, Field(ge=64)] = 256

    @property
    def mounts(self) -> list[Mount]:
        return [self.data, self.logs]

    @property
    def ports(self) -> list[tuple[int, int]]:
        return [(port, port) for port in (self.port, *PEER_PORTS)]


class RegistrySpec(Data):
    connection: Annotated[str, AfterValidator(_connection)] | None = None
    """The addresses of a registry that exists already; None: ours, on the group `registry`."""
    server: RegistryServer | None = None
