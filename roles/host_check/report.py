"""What a verification tells: on a terminal, and as a document for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from roles.host_check.finding import Finding, Verdict, printable
from roles.run.problems import Problem
from roles.run.report import counted

FORMAT = 1
"""Of the document. It grows with new keys, and is counted up where one goes or changes meaning."""

MENDS = {
    "connection": "a host key that is not known: `dockyard hostkeys scan`, then `trust`; else log "
    "in by hand, with the same user and key, and mend what that shows"
}
"""Of problems whose text does not say it."""

STYLE: dict[Verdict, str] = {"fail": "bold red", "warn": "yellow", "pass": "green"}


@dataclass(frozen=True)
class HostReport:
    """What is known of one host. `problems`: why it could not be read, or what its data lacks."""

    name: str
    groups: tuple[str, ...]
    was_read: bool
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        verdicts = {finding.verdict for finding in self.findings}
        if self.problems or "fail" in verdicts:
            return "fail"
        return "warn" if "warn" in verdicts else "pass"

    def of(self, verdict: Verdict) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == verdict]


def document(reports: Sequence[HostReport], made_at: datetime) -> dict[str, Any]:
    """The report as JSON has it; docs/verify.md tells its keys."""
    return {
        "format": FORMAT,
        "made_at": made_at.astimezone(UTC).isoformat(timespec="seconds"),
        "hosts": [_host(report) for report in reports],
        "counts": {v: sum(r.verdict == v for r in reports) for v in ("pass", "warn", "fail")},
    }


def _host(report: HostReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "groups": list(report.groups),
        "was_read": report.was_read,
        "verdict": report.verdict,
        "problems": [{"key": p.key, "text": p.text} for p in report.problems],
        "checks": [
            {
                "check": f.check,
                "verdict": f.verdict,
                "accepted": f.accepted,
                "found": f.found,
                "why": f.why,
                "mend": f.mend,
            }
            for f in report.findings
        ],
    }


def rendered(reports: Sequence[HostReport]) -> RenderableType:
    """Failures first, then warnings, each host's together; a host that is fit takes one line."""
    told: list[RenderableType] = []
    for verdict in ("fail", "warn"):
        rows = [row for report in reports for row in _rows(report, verdict)]
        told += [_table(verdict, rows)] if rows else []
    fit = [report for report in reports if report.verdict == "pass"]
    told += [_line(f"{r.name}: fit, {counted(len(r.findings), 'check')}", "pass") for r in fit]
    told.append(_line(summary(reports), max_verdict(reports)))
    return Group(*told)


def summary(reports: Sequence[HostReport]) -> str:
    of = {v: sum(report.verdict == v for report in reports) for v in ("pass", "warn", "fail")}
    return (
        f"{counted(len(reports), 'host')}: {of['fail']} unfit, {of['warn']} fit with warnings, "
        f"{of['pass']} fit"
    )


def max_verdict(reports: Iterable[HostReport]) -> Verdict:
    verdicts = {report.verdict for report in reports}
    return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "pass"


Row = tuple[str, str, str, str, str]


def _rows(report: HostReport, verdict: Verdict) -> Iterator[Row]:
    if verdict == "fail":
        for problem in report.problems:
            yield report.name, problem.key, problem.text, "", MENDS.get(problem.key, "")
    for f in report.of(verdict):
        found = f"{f.found} (a failure that is accepted)" if f.accepted else f.found
        yield f.host, f.check, found, f.why, f.mend


def _table(verdict: Verdict, rows: Sequence[Row]) -> Table:
    table = Table(title=f"{verdict.upper()}", title_style=STYLE[verdict], title_justify="left")
    for heading in ("Host", "Check", "Found, and why it matters", "How to mend it"):
        table.add_column(heading, overflow="fold")
    before = None
    for host, check, found, why, mend in rows:
        text = Text(printable(found))
        text.append(f"\n{printable(why)}" if why else "", style="dim")
        if before not in (None, host):
            table.add_section()
        shown = "" if host == before else printable(host)
        table.add_row(
            Text(shown), Text(printable(check), style=STYLE[verdict]), text, Text(printable(mend))
        )
        before = host
    return table


def _line(text: str, verdict: Verdict) -> Text:
    return Text(printable(text), style=STYLE[verdict])
