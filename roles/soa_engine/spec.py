"""What the user says of the service container."""

from __future__ import annotations

from roles.container.part import PartSpec
from roles.run.model import AbsolutePath, Data, Port, Seconds, Word


class Drain(Data):
    """How the engine is asked to leave the registry and go on serving."""

    signal: Word
    undrain_signal: Word | None = None
    timeout_s: Seconds = 60


class SoaEngineSpec(PartSpec):
    port: Port
    """The host's, under which the engine is registered."""
    container_port: Port = 1080
    """What the image listens on behind a published port."""
    registration: AbsolutePath | None = None
    """The registry path under which an engine's node `ADDRESS:PORT` stands; None: not provable."""
    drain: Drain | None = None
    """None: the engine knows no drain, and is stopped with SIGTERM alone."""

    @property
    def ports(self) -> list[tuple[int, int]]:
        return [(self.port, self.container_port)]
