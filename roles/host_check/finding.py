"""What a check is asked about, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from roles.container.part import PartSpec
from roles.docker_engine.versions import numbers, plain
from roles.host_check.resolve import Resolution, resolve
from roles.host_check.versions import NEWEST
from roles.observed import Disk, Fitness, Observed
from roles.run.wanted import Wanted

Verdict = Literal["pass", "warn", "fail"]

DATA_ROOT = "/var/lib/docker"


@dataclass(frozen=True)
class Subject:
    """One host, as it is and as it is wanted; `parts` is what it is to run, by role."""

    name: str
    wanted: Wanted
    observed: Observed
    parts: Mapping[str, PartSpec]

    @property
    def fitness(self) -> Fitness:
        return self.observed.fitness

    @property
    def engine(self) -> str:
        """The version to be judged: the one that is wanted, else the installed, else the newest."""
        told = (self.wanted.docker_engine.version, self.observed.docker_version)
        return next((plain(text) for text in told if text and numbers(text)), NEWEST)

    @property
    def engine_runs(self) -> bool:
        return self.observed.docker_version is not None

    @property
    def resolution(self) -> Resolution:
        o = self.observed
        return resolve(o.kernel, o.os_id, o.os_version, o.os_like, o.architecture, o.cgroup_version)

    @property
    def data_root(self) -> str:
        return data_root(self.wanted)

    def disk(self, path: str) -> Disk | None:
        return self.fitness.disks.get(path)

    @property
    def today(self) -> date:
        """By the host's clock, put right."""
        now_s = (self.fitness.time_s or 0) - (self.observed.clock_skew_s or 0)
        return datetime.fromtimestamp(now_s, UTC).date()


def data_root(wanted: Wanted) -> str:
    """Where the engine keeps its data. The probe's lines are split at '|'."""
    told = wanted.docker_engine.config.get("data-root")
    if not isinstance(told, str) or not told.startswith("/"):
        return DATA_ROOT
    return told if told.isprintable() and "|" not in told else DATA_ROOT


@dataclass(frozen=True)
class Judged:
    """A verdict, and what was found; `mend` where a check knows better than its text."""

    verdict: Verdict
    found: str
    mend: str | None = None


Check = Callable[[Subject], Judged]


@dataclass(frozen=True)
class Finding:
    host: str
    check: str
    verdict: Verdict
    found: str
    why: str
    mend: str
    accepted: bool = False
    """A failure that `host_check.accept` has made a warning."""


def passed(found: str) -> Judged:
    return Judged("pass", found)


def warned(found: str, mend: str | None = None) -> Judged:
    return Judged("warn", found, mend)


def failed(found: str, mend: str | None = None) -> Judged:
    return Judged("fail", found, mend)


def printable(text: str) -> str:
    """Text that can't steer a terminal, whatever a host has said; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def one_line(text: str) -> str:
    """The same on one line: a host's words must not look like another host's."""
    return printable(" ".join(text.split()))
