"""What one check has found that those before it had not, and the other way round. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from roles.drift.document import FORMAT, document, finding
from roles.drift.model import Finding, Report, State

Change = Literal["drift", "resolved", "mixed", "hosts"]
"""`hosts`: only which of them can be checked has changed."""


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


def news(known: Known, report: Report) -> News:
    """Compare a report with what is known.

    Findings of a host that could not be checked, was left out, or is drained, are not resolved by
    their absence; those of no single host are not while any host was not checked.
    """
    before = {found.identity for found in known.findings}
    standing = {found.identity for found in report.drift}
    now = {found.identity: found for found in report.findings}
    gone = [found for found in known.findings if found.identity not in standing]
    unchecked = _that_are(report, "not checked")
    checked = _that_are(report, "in sync", "drift", "maintenance")
    return News(
        tuple(found for found in report.drift if found.identity not in before),
        tuple(now.get(f.identity, f) for f in gone if _is_judged(f.host, report)),
        tuple(name for name in unchecked if name not in known.unchecked),
        tuple(name for name in known.unchecked if name in checked),
    )


def learned(known: Known, report: Report) -> Known:
    """What is known once the news has been told."""
    standing = {found.identity for found in report.drift}
    carried = [
        found
        for found in known.findings
        if found.identity not in standing and not _is_judged(found.host, report)
    ]
    left_out = [name for name in known.unchecked if name in _that_are(report, "left out")]
    return Known((*report.drift, *carried), (*_that_are(report, "not checked"), *left_out))


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


def _that_are(report: Report, *states: State) -> tuple[str, ...]:
    return tuple(host.name for host in report.hosts if host.state in states)


def _is_judged(host: str | None, report: Report) -> bool:
    """Whether the report would have told of a finding of this host, if it still stood.

    Every host of the inventory is in the report: one that is not has left.
    """
    if host is None:
        is_whole = all(its.is_read for its in report.hosts)
        return is_whole and not _that_are(report, "not checked", "left out")
    return host not in _that_are(report, "not checked", "left out", "maintenance")
