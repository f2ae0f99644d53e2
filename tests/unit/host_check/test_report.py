from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from roles.host_check.finding import Finding, Verdict, one_line, printable
from roles.host_check.report import HostReport, document, max_verdict, rendered
from roles.run.problems import Problem

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def finding(host: str, verdict: Verdict, check: str = "memory", found: str = "found") -> Finding:
    return Finding(host, check, verdict, found, "why it matters", "how to mend")


def report(host: str, *verdicts: Verdict, problem: str | None = None) -> HostReport:
    problems = (Problem(host, "connection", problem),) if problem else ()
    found = tuple(finding(host, verdict) for verdict in verdicts)
    return HostReport(host, ("engine",), not problem, problems, found)


FIT = report("app-1", "pass", "pass")
WARNED = report("app-2", "warn", "pass")
UNFIT = report("app-3", "pass", "fail", "warn")
DEAD = report("app-4", problem="can't be reached: timed out")


def shown(*reports: HostReport, width: int = 140) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=False)
    console.print(rendered(reports))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize(
    "one, verdict", [(FIT, "pass"), (WARNED, "warn"), (UNFIT, "fail"), (DEAD, "fail")]
)
def test_the_verdict_of_a_host_is_its_worst(one: HostReport, verdict: str) -> None:
    assert one.verdict == verdict
    assert max_verdict([FIT, one]) == verdict


def test_failures_come_first_and_a_fit_host_takes_one_line() -> None:
    text = shown(FIT, WARNED, UNFIT, DEAD)
    order = [text.index(word) for word in ("FAIL", "app-3", "app-4", "WARN", "app-2", "app-1: fit")]
    assert order == sorted(order)
    (line,) = [line for line in text.splitlines() if "app-1" in line]
    assert line == "app-1: fit, 2 checks"
    assert text.rstrip().endswith("4 hosts: 2 unfit, 1 fit with warnings, 1 fit")


def test_what_was_found_why_and_how_to_mend_it_is_told() -> None:
    text = shown(UNFIT, DEAD)
    for words in ("found", "why it matters", "how to mend", "can't be reached: timed out"):
        assert words in text


def test_only_fit_hosts_make_no_table() -> None:
    assert shown(FIT).splitlines() == [
        "app-1: fit, 2 checks",
        "1 host: 0 unfit, 0 fit with warnings, 1 fit",
    ]


def test_a_failure_that_is_accepted_says_so() -> None:
    accepted = Finding("app-1", "memory", "warn", "little", "why", "mend", accepted=True)
    text = shown(HostReport("app-1", (), True, findings=(accepted,)))
    assert "little (a failure that is accepted)" in text


HOSTILE = "[red]x[/red]\x1b[31m\x07\u202e\r\n[/nonsense]"


def test_what_hosts_say_steers_no_terminal() -> None:
    host = HostReport(
        f"app{HOSTILE}",
        (),
        True,
        (Problem("app", HOSTILE, HOSTILE),),
        (finding(f"app{HOSTILE}", "fail", found=HOSTILE),),
    )
    fit = HostReport(HOSTILE, (), True, findings=(finding(HOSTILE, "pass"),))
    text = shown(host, fit)
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "[red]x[/red]" in text
    assert "[/nonsense]" in text


@pytest.mark.parametrize(
    "text, safe",
    [("ä 1", "ä 1"), ("a\x1b[2Jb", "a\ufffd[2Jb"), ("a\u202eb\r\n", "a\ufffdb\ufffd\n"), ("", "")],
)
def test_printable(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_one_line() -> None:
    assert one_line("a\x1b\n  app-9: b\n") == "a\ufffd app-9: b"


def test_the_document() -> None:
    told = json.loads(json.dumps(document([FIT, UNFIT, DEAD], AT)))
    assert set(told) == {"format", "made_at", "hosts", "counts"}
    assert told["format"] == 1
    assert told["made_at"] == "2026-03-01T12:00:00+00:00"
    assert told["counts"] == {"pass": 1, "warn": 0, "fail": 2}
    assert [host["name"] for host in told["hosts"]] == ["app-1", "app-3", "app-4"]
    assert told["hosts"][2] == {
        "name": "app-4",
        "groups": ["engine"],
        "was_read": False,
        "verdict": "fail",
        "problems": [{"key": "connection", "text": "can't be reached: timed out"}],
        "checks": [],
    }
    assert told["hosts"][1]["checks"][1] == {
        "check": "memory",
        "verdict": "fail",
        "accepted": False,
        "found": "found",
        "why": "why it matters",
        "mend": "how to mend",
    }
