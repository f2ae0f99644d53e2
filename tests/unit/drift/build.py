"""Builders of reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from roles.drift.model import Finding, HostResult, Report, State

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def found(host: str | None = "app-1", path: str = "proxy.memory_mb", **changes: Any) -> Finding:
    said: dict[str, Any] = {"role": "proxy", "wanted": "512", "found": "256", "kind": "by hand"}
    return Finding(host=host, path=path, **(said | changes))


def host(name: str, state: State = "in sync", why: str = "") -> HostResult:
    return HostResult(name, ("engine",), state, why)


def report(
    *findings: Finding, hosts: tuple[HostResult, ...] = (), later_s: float = 0, **changes: Any
) -> Report:
    """A report of app-1 and app-2, unless `hosts` says otherwise, with their states as found."""
    drifted = {its.host for its in findings if its.kind != "unmanaged" and its.ignored is None}
    states: dict[str, State] = {n: "drift" if n in drifted else "in sync" for n in NAMES}
    said = {its.name: its for its in hosts}
    whole = tuple(said.pop(name, None) or host(name, states[name]) for name in NAMES)
    at = AT + timedelta(seconds=later_s)
    return Report(
        **{
            "inventory": "inventories/prod.py",
            "made_at": at,
            "duration_s": 2.5,
            "hosts": (*whole, *said.values()),
            "findings": findings,
            **changes,
        }
    )


NAMES = ("app-1", "app-2")
