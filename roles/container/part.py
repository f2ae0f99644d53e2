"""What the user may say of any part that runs as a container."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from roles.images.spec import ImageSource
from roles.run.model import AbsolutePath, Data, Seconds, Word


def _environment(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not name.isidentifier():
            raise ValueError(f"'{name}' is no name of an environment variable")
        if any(c in value for c in "\n\r\0"):
            raise ValueError(f"the value of '{name}' has a line break, which Docker can't pass on")
    return values


def _owner(value: str) -> str:
    user, _, group = value.partition(":")
    if not (user.isdecimal() and group.isdecimal()):
        raise ValueError(f"expected 'UID:GID' in numbers, found '{value}'")
    return value


class Mount(Data):
    """A directory of the host, and where the container sees it."""

    host: AbsolutePath
    container: AbsolutePath


class PartSpec(Data):
    """One container per host of the part's group."""

    container: Word
    """The container's name on its host."""
    image: ImageSource
    logs: Mount
    network: Literal["bridge", "host"] = "bridge"
    environment: Annotated[dict[str, str], AfterValidator(_environment)] = Field(
        default_factory=dict
    )
    user: Annotated[str, AfterValidator(_owner)] | None = None
    """Who runs in the container and owns its directories on the host; None: the image decides."""
    restart: Literal["no", "always", "unless-stopped"] = "unless-stopped"
    memory_mb: Annotated[int, Field(ge=16)] | None = None
    pids: Annotated[int, Field(ge=8)] | None = None
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
