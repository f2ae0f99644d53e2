"""Read a host once, and remember it until something on it has changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from pyinfra.api import Host, State

from roles.observed import channel
from roles.observed.model import Observed
from roles.observed.parse import parse

SCRIPT = (Path(__file__).parent / "probe.sh").read_bytes()
DOCKER_LIMIT_S = 10
LIMIT_S = 60
"""Bounds the whole probe. The engine's socket takes twice Docker's limit at most; `docker` is
asked up to seven times, but not again once it hung.
"""

_MEMO, _CHANGES, _LOOK = "dockyard_observed", "dockyard_changes", "dockyard_look"


@dataclass(frozen=True)
class Look:
    """What a host is asked beyond what every host is asked."""

    paths: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    newest: tuple[str, ...] = ()
    """Paths of which that one is asked that has the greatest version behind it: `PATH.HEX`."""
    names: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    """Paths of which it is asked what they lie on."""
    source: str | None = None
    """Where an engine would be installed from: `http(s)://HOST:PORT`, or `distro`."""
    proxy: str | None = None
    """`HOST:PORT` of a proxy towards it."""
    networks: bool = False
    """Whether the engine's networks are to be told."""
    is_acted_on: bool = False
    """Whether `docker` itself must answer, too: whoever changes the host does it by that."""
    setup: tuple[tuple[str, str], ...] = ()
    """What is asked of the host itself, as probe.sh has it: kind and name, or `-`."""

    @property
    def arguments(self) -> list[str]:
        networks = "all" if self.networks else None
        command = "docker" if self.is_acted_on else None
        one = (
            ("source", self.source),
            ("proxy", self.proxy),
            ("networks", networks),
            ("command", command),
        )
        asked = (
            ("path", self.paths),
            ("file", self.files),
            ("sum", self.sums),
            ("newest", self.newest),
            ("name", self.names),
            ("disk", self.disks),
            *((kind, (value,)) for kind, value in one if value),
        )
        pairs = [(kind, value) for kind, values in asked for value in values]
        return [word for pair in (*pairs, *self.setup) for word in pair]


def observe(state: State, host: Host, look: Look | None = None) -> Observed:
    """Return what the host is, from memory where nothing on it has changed since.

    What is looked at is given once, by the survey; later calls read the same.

    Raises:
        RemoteError: the probe could not be run, or did not end in time.
        ProbeError: its output can't be used.
    """
    if look is not None:
        host.connector_data[_LOOK] = look
    moment = _moment(state, host)
    if is_fresh(state, host):
        remembered: Observed = host.connector_data[_MEMO][1]
        return remembered
    asked: Look = host.connector_data.get(_LOOK, Look())
    command = ["sh", "-s", "--", str(DOCKER_LIMIT_S), *asked.arguments]
    began = time.time()
    output = channel.run(state, host, command, stdin=SCRIPT, timeout_s=LIMIT_S, reads=True).stdout
    ended = time.time()
    observed = parse(output)
    skew_s = clock_skew_s(began, observed.fitness.time_s, ended)
    observed = replace(observed, clock_skew_s=skew_s)
    host.connector_data[_MEMO] = (moment, observed)
    return observed


def clock_skew_s(began: float, told: float | None, ended: float) -> float | None:
    """How far a clock that was read between `began` and `ended` is ahead of the one that told them.

    A slow link, or a `date` that knows no fraction, is no skew.
    """
    if told is None:
        return None
    latest = told + (1 if told.is_integer() else 0)
    return told - ended if told > ended else min(latest - began, 0.0)


def is_fresh(state: State, host: Host) -> bool:
    """Whether what is remembered of the host is what it is."""
    return _MEMO in host.connector_data and bool(
        host.connector_data[_MEMO][0] == _moment(state, host)
    )


def forget(host: Host) -> None:
    """Make the next `observe` read the host again: something on it was changed."""
    host.connector_data[_CHANGES] = host.connector_data.get(_CHANGES, 0) + 1


def _moment(state: State, host: Host) -> tuple[int, int]:
    """Count what has changed the host: finished operations that ran a command, and our own word."""
    metas = (data.operation_meta for data in state.ops[host].values())
    executed = sum(1 for meta in metas if meta.is_complete() and meta.executed)
    return executed, host.connector_data.get(_CHANGES, 0)
