"""What a check has found. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from roles.run.changes import Origin

Kind = (
    Origin
    | Literal["differs", "address moved", "missing", "stale", "foreign", "unfit", "refused"]
    | Literal["unmanaged"]
)
"""How something differs.

`differs` where nothing tells what was last applied; `missing`, `stale` and `foreign` of what the
registry and the proxies list; `unfit` of a host, `refused` of what forbids a deploy; `unmanaged` is
what nobody asked for, and no drift.
"""
State = Literal["in sync", "drift", "maintenance", "not checked", "left out"]

Identity = tuple[str | None, str, str]
"""Host, role and path."""

IN_SYNC, WRONG, DRIFT, NOT_CHECKED = 0, 1, 2, 3
"""Exit codes; WRONG is an error in the configuration or in the use."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it is wanted, or that nobody asked for."""

    host: str | None
    """None for what is no single host's: a node of the registry that nobody here made."""
    role: str
    path: str
    """What it is: a file, a unit, a package, a container's field (`NAME.memory_mb`), a node..."""
    wanted: str
    found: str
    kind: Kind
    interrupts: bool = False
    """Whether mending it takes something out of service for a moment."""
    ignored: str | None = None
    """Why it is ignored, by a rule of the data; None where it counts."""

    @property
    def is_refused(self) -> bool:
        """Whether it ends a deploy before anything is changed."""
        return self.kind in ("unfit", "refused") or self.role.startswith("export_ip")

    @property
    def identity(self) -> Identity:
        """What makes it the same thing in another look.

        Not the kind, which a commit to the data alone may turn ("by hand, and not yet deployed"),
        and not what was found, which may be another each time (what is free on a full disk).
        """
        return self.host, self.role, self.path


@dataclass(frozen=True)
class HostResult:
    """What became of one host of the inventory."""

    name: str
    groups: tuple[str, ...]
    state: State
    why: str = ""
    """Why it could not be checked, or who has drained it."""
    is_read: bool = True
    """Whether what runs there is known; False of a drained one that is switched off, too."""


@dataclass(frozen=True)
class Report:
    """One check of an inventory; every host of it is in `hosts`, in inventory order."""

    inventory: str
    made_at: datetime
    """In UTC."""
    duration_s: float
    hosts: tuple[HostResult, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be judged, in whole sentences."""

    @property
    def drift(self) -> tuple[Finding, ...]:
        """The findings that count: neither ignored, nor unmanaged, nor of a drained host."""
        away = {host.name for host in self.hosts if host.state == "maintenance"}
        return tuple(f for f in that_drift(self.findings) if f.host not in away)

    @property
    def refused(self) -> dict[str, str]:
        """The hosts with drift that no deploy goes to before somebody has mended them, and why."""
        why = {found.host: found.found for found in self.findings if found.is_refused}
        return {host: why[host] for host in self._drifted if host in why}

    @property
    def mendable(self) -> tuple[str, ...]:
        """The hosts whose drift a deploy mends; what is of no single host, it does not.

        None, where what is of no single host would end every deploy.
        """
        if any(found.host is None and found.is_refused for found in self.findings):
            return ()
        refused = self.refused
        return tuple(host for host in self._drifted if host not in refused)

    @property
    def _drifted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(found.host for found in self.drift if found.host))

    @property
    def unmanaged(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.kind == "unmanaged")

    @property
    def exit_code(self) -> int:
        if self.drift:
            return DRIFT
        is_whole = all(host.state != "not checked" for host in self.hosts)
        return IN_SYNC if is_whole else NOT_CHECKED


def that_drift(findings: Iterable[Finding]) -> list[Finding]:
    return [found for found in findings if found.kind != "unmanaged" and found.ignored is None]
