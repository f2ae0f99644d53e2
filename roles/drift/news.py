"""What one check has found that those before it had not, and the other way round. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from roles.drift.document import FORMAT, document, finding
from roles.drift.model import Finding, Report

Change = Literal["drift", "resolved", "mixed", "hosts"]
"""`hosts`: only which of them can be checked has changed."""

Identity = tuple[str | None, str, str]
"""Host, role and path.

Not the kind, which a commit to the data alone may turn ("by hand, and not yet deployed"), and not
what was found, which may be another each time ("restarted 7 times"): the same thing stands.
"""


@dataclass(frozen=True)
class Known:
    """What stood when somebody was told last."""

    findings: tuple[Finding, ...] = ()
    """Those that count; also earlier ones of hosts that could not be checked since."""
    unchecked: tuple[str, ...] = ()
    """Hosts that could not be checked."""


@dataclass(frozen=True)
class News:
    """What has changed."""

    new: tuple[Finding, ...] = ()
    resolved: tuple[Finding, ...] = ()
    """As they were found last; one that a rule ignores now, as it is, with the rule's reason."""
    unchecked: tuple[str, ...] = ()
    """Hosts that could be checked before, or were not there, and can't be now."""
    checked_again: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.resolved or self.unchecked or self.checked_again)

    @property
    def change(self) -> Change:
        if self.new and self.resolved:
            return "mixed"
        if self.new:
            return "drift"
        return "resolved" if self.resolved else "hosts"


def identity(found: Finding) -> Identity:
    return found.host, found.role, found.path


def news(known: Known, report: Report, is_limited: bool = False) -> News:
    """Compare a report with what is known.

    Findings of a host that could not be checked, or is drained, are not resolved by their absence;
    those of no single host are not while any host could not be checked. `is_limited`: the check
    left hosts out, so a host that is not in the report has not left the inventory.
    """
    before = {identity(found) for found in known.findings}
    standing = {identity(found) for found in report.drift}
    now = {identity(found): found for found in report.findings}
    gone = [found for found in known.findings if identity(found) not in standing]
    unchecked = _unchecked(report)
    checked = {host.name for host in report.hosts} - set(unchecked)
    return News(
        tuple(found for found in report.drift if identity(found) not in before),
        tuple(now.get(identity(f), f) for f in gone if _is_judged(f.host, report, is_limited)),
        tuple(name for name in unchecked if name not in known.unchecked),
        tuple(name for name in known.unchecked if name in checked),
    )


def learned(known: Known, report: Report, is_limited: bool = False) -> Known:
    """What is known once the news has been told."""
    standing = {identity(found) for found in report.drift}
    carried = [
        found
        for found in known.findings
        if identity(found) not in standing and not _is_judged(found.host, report, is_limited)
    ]
    present = {host.name for host in report.hosts}
    elsewhere = [name for name in known.unchecked if is_limited and name not in present]
    return Known((*report.drift, *carried), (*_unchecked(report), *elsewhere))


def told(its: News, report: Report) -> dict[str, Any]:
    """The news as the hook reads it; docs/drift.md tells its keys."""
    return {
        "format": FORMAT,
        "change": its.change,
        "new": [finding(found) for found in its.new],
        "resolved": [finding(found) for found in its.resolved],
        "unchecked": list(its.unchecked),
        "checked_again": list(its.checked_again),
        "report": document(report),
    }


def _unchecked(report: Report) -> tuple[str, ...]:
    return tuple(host.name for host in report.hosts if host.state == "not checked")


def _is_judged(host: str | None, report: Report, is_limited: bool) -> bool:
    """Whether the report would have told of a finding of this host, if it still stood."""
    if host is None:
        return not is_limited and not _unchecked(report)
    states = {its.name: its.state for its in report.hosts}
    if host not in states:
        return not is_limited
    return states[host] in ("in sync", "drift")
