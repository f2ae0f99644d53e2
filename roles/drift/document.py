"""A report as JSON: for programs, and to be read back. Pure. docs/drift.md tells its keys."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from roles.drift.model import Finding, Report

FORMAT = 1
"""Of all documents here. They grow with new keys; it is counted up where a key goes or changes
meaning."""

T = TypeVar("T")
_REPORT = TypeAdapter(Report)


class Spoilt(Exception):
    """A text that should be a document of ours and is not; says what was expected."""


def document(report: Report) -> dict[str, Any]:
    """The report with `groups`, `hosts` and the rest as lists, and times as ISO 8601 in UTC."""
    drift = Counter(found.host for found in report.drift)
    states = Counter(host.state for host in report.hosts)
    return {
        "format": FORMAT,
        "inventory": report.inventory,
        "made_at": report.made_at.astimezone(UTC).isoformat(),
        "duration_s": round(report.duration_s, 3),
        "exit_code": report.exit_code,
        "hosts": [
            {
                "name": host.name,
                "groups": list(host.groups),
                "state": host.state,
                "why": host.why,
                "drift": drift[host.name],
            }
            for host in report.hosts
        ],
        "findings": [finding(found) for found in report.findings],
        "notes": list(report.notes),
        "counts": {
            "hosts": len(report.hosts),
            "in_sync": states["in sync"],
            "with_drift": states["drift"],
            "in_maintenance": states["maintenance"],
            "not_checked": states["not checked"],
            "left_out": states["left out"],
            "drift": len(report.drift),
            "unmanaged": sum(found.ignored is None for found in report.unmanaged),
            "ignored": sum(found.ignored is not None for found in report.findings),
        },
    }


def finding(found: Finding) -> dict[str, Any]:
    return {
        "host": found.host,
        "role": found.role,
        "path": found.path,
        "wanted": found.wanted,
        "found": found.found,
        "kind": found.kind,
        "interrupts": found.interrupts,
        "ignored": found.ignored,
    }


def as_text(content: dict[str, Any]) -> str:
    """Write a document as JSON in ASCII, which steers no terminal.

    Halves of surrogate pairs become `?`: JSON could write them, but not every reader takes them.
    """
    whole = json.dumps(content, ensure_ascii=False).encode("utf-8", errors="replace")
    return f"{json.dumps(json.loads(whole), indent=2)}\n"


def read_document(text: str) -> Report:
    """Read what `document` has made. Keys that are unknown are passed by.

    Raises:
        Spoilt: it is no JSON, of another format, or lacks something.
    """
    report = read(_REPORT, text)
    if report.made_at.tzinfo is None:
        raise Spoilt("made_at: expected a time with its offset to UTC, found none")
    return report


def read(kind: TypeAdapter[T], text: str) -> T:
    """Read a document of this format into a value of `kind`.

    Raises:
        Spoilt: see `read_document`.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Spoilt(f"expected JSON, found something else: {error}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise Spoilt(f"expected a document of format {FORMAT}, found {found!r}")
    try:
        return kind.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Spoilt(f"{where}: {first['msg']}") from error
