"""What a check for drift tells on a terminal. Pure."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from roles.drift.model import Finding, HostResult, Report, State
from roles.host_check.finding import one_line, printable
from roles.run.report import counted

HEADINGS = ("Host", "Role", "What", "Wanted", "Found", "Kind", "Mending it")
NO_HOST = "(no single host)"
WIDTH = 160
"""Of the table, where there is no terminal to ask."""

STYLE: dict[State, str] = {
    "in sync": "green",
    "drift": "bold red",
    "maintenance": "yellow",
    "not checked": "bold yellow",
    "left out": "dim",
}


@dataclass(frozen=True)
class Sections:
    """Every finding of a report, in one of four."""

    drift: tuple[Finding, ...]
    of_drained: tuple[Finding, ...]
    """Differences on hosts in maintenance: they don't count until the host is back."""
    unmanaged: tuple[Finding, ...]
    ignored: tuple[Finding, ...]


def sections(report: Report) -> Sections:
    drift = set(report.drift)
    counting = [found for found in report.findings if found.ignored is None]
    return Sections(
        report.drift,
        tuple(f for f in counting if f.kind != "unmanaged" and f not in drift),
        tuple(f for f in counting if f.kind == "unmanaged"),
        tuple(f for f in report.findings if f.ignored is not None),
    )


def table(report: Report) -> RenderableType:
    """Differences first, then what does not count, then notes, the hosts and a last line."""
    found = sections(report)
    return Group(
        *_findings("DRIFT", STYLE["drift"], found.drift),
        *_findings("ON DRAINED HOSTS (not counted)", STYLE["maintenance"], found.of_drained),
        *_findings("UNMANAGED (nobody asked for it; not counted)", "yellow", found.unmanaged),
        *_findings("IGNORED (not counted)", "dim", found.ignored, is_ignored=True),
        *(Text(f"note: {one_line(note)}", style="yellow") for note in report.notes),
        *_hosts(report),
        Text(summary(report), style=STYLE[worst(report)]),
    )


def console(on_stderr: bool = False) -> Console:
    is_terminal = (sys.stderr if on_stderr else sys.stdout).isatty()
    return Console(stderr=on_stderr, width=None if is_terminal else WIDTH, highlight=False)


def worst(report: Report) -> State:
    """The state that the exit code goes by."""
    if report.drift:
        return "drift"
    return "in sync" if report.exit_code == 0 else "not checked"


def summary(report: Report) -> str:
    """One line: the hosts by state, the findings by section."""
    states = Counter(host.state for host in report.hosts)
    found = sections(report)
    left_out = f", {states['left out']} left out" if states["left out"] else ""
    return (
        f"{counted(len(report.hosts), 'host')}: {states['drift']} with drift, "
        f"{states['in sync']} in sync, {states['maintenance']} in maintenance, "
        f"{states['not checked']} not checked{left_out}; "
        f"{counted(len(found.drift), 'difference')}, {len(found.unmanaged)} unmanaged, "
        f"{len(found.ignored)} ignored"
    )


def _findings(
    title: str, style: str, findings: Sequence[Finding], is_ignored: bool = False
) -> Iterator[Table]:
    """The table of a section, if it has anything; a host's name stands at its first row."""
    if not findings:
        return
    told = Table(title=title, title_style=style, title_justify="left")
    for heading in (*HEADINGS, *(["Ignored because"] if is_ignored else [])):
        told.add_column(heading, overflow="fold")
    before: str | None = None
    for found in findings:
        host = NO_HOST if found.host is None else found.host
        if before not in (None, host):
            told.add_section()
        told.add_row(*_cells("" if host == before else host, found, is_ignored))
        before = host
    yield told


def _cells(host: str, found: Finding, is_ignored: bool) -> Iterable[Text]:
    mending = "interrupts" if found.interrupts else ""
    cells = [host, found.role, found.path, found.wanted, found.found, found.kind, mending]
    if is_ignored:
        cells.append(found.ignored or "")
    return (Text(printable(cell)) for cell in cells)


def _hosts(report: Report) -> Iterator[Text]:
    drift = Counter(found.host for found in report.drift)
    for host in report.hosts:
        yield Text(_host(host, drift[host.name]), style=STYLE[host.state])


def _host(host: HostResult, drift: int) -> str:
    said = f", {counted(drift, 'difference')}" if drift else ""
    why = f": {host.why}" if host.why else ""
    return one_line(f"{host.name}: {host.state}{said}{why}")
