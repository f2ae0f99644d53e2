"""A report as node_exporter's textfile collector takes it. Pure. docs/drift.md has alert rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from roles.drift.model import Report

Sample = tuple[dict[str, str], float]
"""Labels and value."""


def prometheus(report: Report) -> str:
    """Every metric as a gauge, each with the label `inventory`: files of several lie side by side.

    A host that was not checked has no count of findings, since 0 would say that it is in sync,
    unless something of it was found all the same. The label `host` is empty for what is no
    single host's.
    """
    return "".join(
        line
        for name, meaning, samples in _metrics(report)
        for line in _metric(f"dockyard_drift_{name}", meaning, samples, report.inventory)
    )


def _metrics(report: Report) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    unreachable = [host.name for host in report.hosts if host.state == "not checked"]
    left_out = [host.name for host in report.hosts if host.state == "left out"]
    unchecked = {*unreachable, *left_out}
    checked = [host.name for host in report.hosts if host.name not in unchecked]
    findings = Counter({(name, ""): 0 for name in checked})
    findings.update((found.host or "", found.role) for found in report.drift)
    unmanaged = Counter(dict.fromkeys(checked, 0))
    unmanaged.update(found.host or "" for found in report.unmanaged if found.ignored is None)
    yield (
        "findings",
        "What is not as it is wanted, by host and role; a checked host has 0 with an empty role.",
        (({"host": host, "role": role}, count) for (host, role), count in findings.items()),
    )
    yield (
        "unmanaged",
        "What nobody asked for, by host.",
        (({"host": host}, count) for host, count in unmanaged.items()),
    )
    yield (
        "host_checked",
        "Whether the host could be checked (1), or not (0).",
        (({"host": host.name}, host.name not in unchecked) for host in report.hosts),
    )
    yield "unreachable", "How many hosts could not be checked.", [({}, len(unreachable))]
    yield (
        "last_run_timestamp_seconds",
        "When the check was made, in seconds since 1970.",
        [({}, report.made_at.timestamp())],
    )
    yield "duration_seconds", "How long the check took.", [({}, report.duration_s)]
    yield (
        "exit_code",
        "What the check exited with: 0 in sync, 2 drift, 3 some host not checked.",
        [({}, report.exit_code)],
    )


def _metric(name: str, meaning: str, samples: Iterable[Sample], inventory: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n"
    yield f"# TYPE {name} gauge\n"
    for labels, value in samples:
        told = {"inventory": inventory, **labels}
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in told.items())
        yield f"{name}{{{pairs}}} {_number(value)}\n"


def _escaped(value: str) -> str:
    """A label's value; a reader undoes it, so two values never become one."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return f"{float(value):.3f}".rstrip("0").rstrip(".")
