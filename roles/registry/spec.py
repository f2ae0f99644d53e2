"""What the user says of the registry."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Annotated

from pydantic import AfterValidator, Field

from roles.container.part import Mount, PartSpec
from roles.run.model import Data, Port

PEER_PORTS = (2888, 3888)
"""Where ZooKeeper's servers speak with each other, and elect a leader."""

_PLACE = re.compile(r"(\[(?P<ipv6>[^\]]+)\]|[\w.-]+):(?P<port>\d{1,5})")


def _connection(value: str) -> str:
    if not all(_is_place(place) for place in value.split(",")):
        text = f"expected 'host:port,host:port,...', found '{value}'"
        more = "; write an address of IPv6 as '[2001:db8::1]:2181'" if "::" in value else ""
        raise ValueError(text + more)
    return value


def _is_place(text: str) -> bool:
    place = _PLACE.fullmatch(text)
    if not place or not 0 < int(place["port"]) < 65536:
        return False
    return place["ipv6"] is None or _is_ipv6(place["ipv6"])


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


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
