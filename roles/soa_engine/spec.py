"""What the user says of the service container."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from roles.container.part import PartSpec
from roles.registry.node import Registration
from roles.run.model import AbsolutePath, Data, Port, Seconds, Word


class Drain(Data):
    """How the engine is asked to leave the registry and go on serving."""

    by: Literal["mark", "signal"] = "mark"
    """`mark`: it leaves while a node `/osp/drain/ADDRESS:PORT` stands. `signal`: at a signal."""
    signal: Word | None = None
    undrain_signal: Word | None = None
    timeout_s: Seconds = 60

    @model_validator(mode="after")
    def _signal_is_named(self) -> Self:
        if (self.by == "signal") != (self.signal is not None):
            raise ValueError("expected a 'signal' where, and only where, 'by' is 'signal'")
        return self


class SoaEngineSpec(PartSpec):
    port: Port
    """The host's, under which the engine is registered."""
    second_port: Port | None = None
    """Another of the host's: a new engine starts on the one that is free, beside the old one, which
    is stopped when the new one serves. None: the old one is stopped first."""
    container_port: Port = 1080
    """What the image listens on behind a published port."""
    registration: Registration | None = None
    """The path of the engine's node in the registry; None: not provable."""
    drain: Drain | None = None
    """None: the engine knows no drain; the proxies alone are asked to let it go."""
    drain_wait_s: Seconds = 5
    """How long it serves on, out of the registry, where no proxy tells that it has let it go."""
    call: AbsolutePath | None = None
    """What is asked of a new engine by GET, from every proxy's host; None: they only connect."""

    @property
    def ports(self) -> list[tuple[int, int]]:
        return [(self.port, self.container_port)]

    @property
    def host_ports(self) -> list[int]:
        return [self.port, *([self.second_port] if self.second_port else [])]
