from __future__ import annotations

from io import StringIO

from rich.console import Console

from roles.drift.model import HostResult, Report
from roles.drift.report import sections, summary, table
from tests.unit.drift.build import found, host, report

DRIFT = found(interrupts=True)
STRAY = found("app-2", "container 'stray'", kind="unmanaged", wanted="nothing", found="runs")
IGNORED = found("app-2", "unit x", ignored="known until May")
AWAY = found("app-3", "unit y")
NOBODYS = found(None, "/osp/old", role="registry", kind="foreign")
FULL = report(
    STRAY,
    IGNORED,
    AWAY,
    DRIFT,
    NOBODYS,
    hosts=(
        host("app-3", "maintenance", "drained by ann@laptop"),
        host("app-4", "not checked", "can't be reached: timed out"),
    ),
    notes=("The registry could not be read.",),
)


def shown(its: Report, width: int = 140) -> str:
    file = StringIO()
    Console(file=file, width=width, force_terminal=False).print(table(its))
    return file.getvalue()


def test_every_finding_is_in_one_section() -> None:
    its = sections(FULL)
    assert its.drift == (DRIFT, NOBODYS)
    assert its.of_drained == (AWAY,)
    assert its.unmanaged == (STRAY,)
    assert its.ignored == (IGNORED,)


def test_an_unmanaged_thing_that_is_ignored_is_ignored() -> None:
    both = found(kind="unmanaged", ignored="ours")
    assert (sections(report(both)).unmanaged, sections(report(both)).ignored) == ((), (both,))


def test_what_counts_comes_first_and_the_summary_last() -> None:
    text = shown(FULL)
    words = ["DRIFT", "DRAINED HOSTS", "UNMANAGED", "IGNORED", "note: The registry", "app-1: drift"]
    assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
    assert text.rstrip().splitlines()[-1] == summary(FULL)


def test_the_summary() -> None:
    assert summary(FULL) == (
        "4 hosts: 1 with drift, 1 in sync, 1 in maintenance, 1 not checked; "
        "2 differences, 1 unmanaged, 1 ignored"
    )


def test_a_row_tells_all_of_a_finding() -> None:
    (row,) = [line for line in shown(FULL).splitlines() if "proxy.memory_mb" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["app-1", "proxy", "proxy.memory_mb", "512", "256", "by hand", "interrupts"]
    assert "(no single host)" in shown(FULL)
    assert "known until May" in shown(FULL)


def test_a_host_takes_a_line() -> None:
    lines = shown(FULL).splitlines()
    for line in (
        "app-1: drift, 1 difference",
        "app-2: in sync",
        "app-3: maintenance: drained by ann@laptop",
        "app-4: not checked: can't be reached: timed out",
    ):
        assert line in lines


def test_where_nothing_differs_there_is_no_table() -> None:
    assert shown(report()).splitlines() == [
        "app-1: in sync",
        "app-2: in sync",
        "2 hosts: 0 with drift, 2 in sync, 0 in maintenance, 0 not checked; "
        "0 differences, 0 unmanaged, 0 ignored",
    ]


def test_hosts_that_were_left_out_are_counted() -> None:
    limited = report(hosts=(HostResult("app-3", (), "left out", "by --limit"),))
    last = shown(limited).splitlines()[-1]
    assert last.startswith(
        "3 hosts: 0 with drift, 2 in sync, 0 in maintenance, 0 not checked, 1 left"
    )


HOSTILE = "[red]x[/red]\x1b[31m\x07\u202e\x9b2J\udc80\r\n[/nonsense]"


def test_what_hosts_say_steers_no_terminal() -> None:
    texts = {"role": HOSTILE, "wanted": HOSTILE, "found": HOSTILE}
    text = shown(
        report(
            found(HOSTILE, HOSTILE, **texts),
            found(HOSTILE, HOSTILE, kind="unmanaged", **texts),
            found(HOSTILE, HOSTILE, ignored=HOSTILE, **texts),
            hosts=(HostResult(HOSTILE, (), "not checked", HOSTILE),),
            notes=(HOSTILE,),
        )
    )
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "[red]x[/red]" in text


def test_a_host_can_not_speak_for_another() -> None:
    forged = HostResult("app-3", (), "not checked", "timed out\napp-9: in sync")
    text = shown(report(hosts=(forged,), notes=("one\napp-8: in sync",)))
    assert not [line for line in text.splitlines() if line.startswith(("app-9", "app-8"))]
