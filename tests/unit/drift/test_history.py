from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path as File
from typing import Any

import pytest

from roles.drift import history
from roles.drift.document import read_document
from roles.drift.history import Busy, DriftError, Recorded, only_one
from roles.drift.model import Report
from roles.drift.prometheus import prometheus
from roles.run import whole_file
from roles.run.whole_file import Unwritable
from tests.unit.drift.build import AT, found, host, report

ONE, TWO = found("app-1", "one"), found("app-2", "two")
DAY_S = 86_400


@pytest.fixture
def directory(tmp_path: File) -> File:
    (tmp_path / "history").mkdir()
    return tmp_path / "history"


@pytest.fixture
def hook(tmp_path: File) -> File:
    """Keeps what it is told as `told.N`; fails while the file `broken` is there."""
    path = tmp_path / "hook"
    path.write_text(
        f"""#!/bin/sh
        cd {tmp_path}
        set -- told.*
        [ -e "$1" ] || shift
        cat >"told.$#"
        if [ -e broken ]; then echo "no mail today" >&2; exit 7; fi
        """
    )
    path.chmod(0o755)
    return path


def record(its: Report, directory: File, keep: int = 1000, **more: Any) -> Recorded:
    return history.record(its, directory, keep, **{"keep_days": 90, **more})


def told(hook: File) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(hook.parent.glob("told.*"))]


def paths(content: dict[str, Any], key: str) -> list[str]:
    return [one["path"] for one in content[key]]


def names(directory: File) -> list[str]:
    return sorted(path.name for path in (directory / "reports").iterdir())


def test_a_report_is_kept_by_its_time_and_as_the_last(directory: File) -> None:
    for its in (report(ONE), report(later_s=0.25)):
        assert record(its, directory).problems == ()
    assert names(directory) == ["20260301T120000.000000Z.json", "20260301T120000.250000Z.json"]
    kept = [path.read_text() for path in sorted((directory / "reports").iterdir())]
    assert [read_document(text) for text in kept] == [report(ONE), report(later_s=0.25)]
    assert (directory / "last.json").read_text() == kept[1]


def test_a_time_elsewhere_is_told_in_utc(directory: File) -> None:
    elsewhere = report(made_at=AT.astimezone(timezone(timedelta(hours=5))))
    record(elsewhere, directory)
    assert names(directory) == ["20260301T120000.000000Z.json"]
    last = json.loads((directory / "last.json").read_text())
    assert last["made_at"] == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    "bounds, left",
    [({}, 5), ({"keep": 2}, 2), ({"keep": 1}, 1), ({"keep_days": 2}, 3), ({"keep_days": 1}, 2)],
)
def test_old_reports_go_by_number_and_by_age(
    directory: File, bounds: dict[str, int], left: int
) -> None:
    for day in range(4):
        record(report(later_s=day * DAY_S), directory)
    (directory / "reports" / "notes.txt").touch()
    (directory / "reports" / "20260301.json").touch()
    record(report(later_s=4 * DAY_S), directory, **bounds)
    kept = [name for name in names(directory) if name.endswith("Z.json")]
    assert kept == [f"2026030{day}T120000.000000Z.json" for day in range(6 - left, 6)]
    assert {"notes.txt", "20260301.json"} < set(names(directory))


def test_the_newest_stays_also_where_the_clock_went_back(directory: File) -> None:
    for later_s in (10 * DAY_S, 11 * DAY_S, 0):
        record(report(later_s=later_s), directory, keep=1, keep_days=1)
    assert names(directory) == ["20260301T120000.000000Z.json"]


def test_what_a_killed_run_was_writing_goes(directory: File) -> None:
    (directory / "reports").mkdir()
    for folder in (directory, directory / "reports"):
        (folder / f"{whole_file.PREFIX}x{whole_file.SUFFIX}").touch()
    record(report(), directory)
    assert names(directory) == ["20260301T120000.000000Z.json"]
    assert {path.name for path in directory.iterdir()} == {"reports", "last.json", "state.json"}


def test_the_textfile(directory: File, tmp_path: File) -> None:
    record(report(ONE), directory, textfile=tmp_path / "drift.prom")
    assert (tmp_path / "drift.prom").read_text() == prometheus(report(ONE))


def test_what_has_changed_since_the_last_run(directory: File) -> None:
    away = (host("app-2", "not checked", "timed out"),)

    def since(its: Report) -> tuple[tuple[str, ...], tuple[str, ...]]:
        news = record(its, directory).since_last
        return tuple(f.path for f in news.new), tuple(f.path for f in news.resolved)

    assert since(report(ONE, TWO)) == (("one", "two"), ())
    assert since(report(ONE, hosts=away)) == ((), ())
    assert since(report(ONE, TWO)) == ((), ())
    assert since(report()) == ((), ("one", "two"))


def test_the_hook_is_called_when_something_has_changed_and_only_then(
    directory: File, hook: File
) -> None:
    for index, findings in enumerate([(), (ONE,), (ONE,), (TWO,), (), ()]):
        assert not record(report(*findings, later_s=index), directory, hook=hook).problems
    assert [its["change"] for its in told(hook)] == ["drift", "mixed", "resolved"]
    assert [paths(its, "new") for its in told(hook)] == [["one"], ["two"], []]
    assert [paths(its, "resolved") for its in told(hook)] == [[], ["one"], ["two"]]
    assert told(hook)[0]["report"]["counts"]["drift"] == 1


def test_hosts_that_come_and_go_are_told(directory: File, hook: File) -> None:
    away = (host("app-2", "not checked", "timed out"),)
    for its in (report(TWO), report(hosts=away), report(hosts=away), report(TWO)):
        record(its, directory, hook=hook)
    _, gone, back = told(hook)
    assert (gone["change"], gone["unchecked"], gone["resolved"]) == ("hosts", ["app-2"], [])
    assert (back["change"], back["checked_again"], back["new"]) == ("hosts", ["app-2"], [])


def test_a_hook_that_fails_is_called_again_with_all_that_is_untold(
    directory: File, hook: File
) -> None:
    record(report(ONE), directory, hook=hook)
    (hook.parent / "broken").touch()
    (problem,) = record(report(ONE, TWO), directory, hook=hook).problems
    assert problem == (
        f"hook {hook} ended with status 7: no mail today; it is called again by the next run"
    )
    record(report(TWO), directory, hook=hook)
    (hook.parent / "broken").unlink()
    its = record(report(TWO, later_s=1), directory, hook=hook)
    assert (its.problems, bool(its.since_last)) == ((), False)
    last = told(hook)[-1]
    assert (paths(last, "new"), paths(last, "resolved")) == (["two"], ["one"])
    record(report(TWO, later_s=2), directory, hook=hook)
    assert len(told(hook)) == 4


def test_a_hook_that_is_added_later_is_told_all_that_stands(directory: File, hook: File) -> None:
    record(report(ONE), directory)
    record(report(ONE), directory, hook=hook)
    assert [paths(its, "new") for its in told(hook)] == [["one"]]


def test_hosts_that_were_left_out_are_not_resolved(directory: File, hook: File) -> None:
    record(report(found("app-9"), hosts=(host("app-9", "drift"),)), directory, hook=hook)
    record(report(hosts=(host("app-9", "left out"),)), directory, hook=hook)
    assert len(told(hook)) == 1
    record(report(), directory, hook=hook)
    assert [its["change"] for its in told(hook)] == ["drift", "resolved"]


@pytest.mark.parametrize("spoilt", ["", '{"format": 1}', '{"format": 2}', "\x00"])
def test_a_state_that_is_spoilt_is_told_and_made_anew(
    directory: File, hook: File, spoilt: str
) -> None:
    record(report(ONE), directory, hook=hook)
    (directory / "state.json").write_text(spoilt)
    its = record(report(ONE), directory, hook=hook)
    (problem,) = its.problems
    assert problem.startswith(f"{directory}/state.json can't be used: ")
    assert problem.endswith("; everything that stands is told again")
    assert not its.since_last
    assert [paths(its, "new") for its in told(hook)] == [["one"], ["one"]]
    assert record(report(ONE), directory, hook=hook) == Recorded(its.since_last)


def test_a_state_and_a_report_that_are_spoilt(directory: File) -> None:
    record(report(ONE), directory)
    for name in ("state.json", "last.json"):
        (directory / name).write_bytes(b"\xff")
    assert record(report(ONE), directory).since_last.new == (ONE,)


def fails(fail_for: Callable[[File], bool]) -> Callable[..., None]:
    write = whole_file.write

    def wrapped(path: File, text: str, mode: int | None = None) -> None:
        if fail_for(path):
            raise Unwritable(f"{path} can't be written: {os.strerror(errno.ENOSPC)}")
        write(path, text, mode)

    return wrapped


def test_a_full_disk_keeps_nobody_from_being_told(
    directory: File, hook: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    textfile = hook.parent / "drift.prom"
    record(report(), directory, textfile=textfile, hook=hook)
    before = (directory / "last.json").read_text()
    monkeypatch.setattr(whole_file, "write", fails(lambda path: directory in path.parents))
    its = record(report(ONE, later_s=1), directory, textfile=textfile, hook=hook)
    assert [problem.split()[0].rpartition("/")[2] for problem in its.problems] == [
        "20260301T120001.000000Z.json",
        "last.json",
        "state.json",
    ]
    assert textfile.read_text() == prometheus(report(ONE, later_s=1))
    assert [its["change"] for its in told(hook)] == ["drift"]
    assert (directory / "last.json").read_text() == before
    assert names(directory) == ["20260301T120000.000000Z.json"]


def test_a_textfile_that_can_not_be_written_is_a_problem(directory: File, hook: File) -> None:
    absent = directory / "absent" / "drift.prom"
    (problem,) = record(report(ONE), directory, textfile=absent, hook=hook).problems
    assert problem.startswith(f"{absent} can't be written: ")
    assert len(told(hook)) == 1


HOLD = """
import sys, time
from pathlib import Path
from roles.drift.history import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(directory: File) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_check_ends_at_once_and_says_who_is_first(tmp_path: File) -> None:
    directory = tmp_path / "new" / "history"
    with holder(directory) as process:
        try:
            with pytest.raises(Busy) as told, only_one(directory):
                pytest.fail("two at once")
            words = rf"{directory}: another check runs, process {process.pid} since 20\S+; wait"
            assert told.match(words)
        finally:
            process.kill()
    (directory / "lock").write_text("process 1 since long ago\n" * 9)
    with only_one(directory):  # the one that was killed holds it no more
        (line,) = (directory / "lock").read_text().splitlines()
        assert line.startswith(f"process {os.getpid()} since 20")
    with only_one(directory):
        pass


def test_the_hook_does_not_hold_the_directory(directory: File, hook: File) -> None:
    hook.write_text("#!/bin/sh\nsleep 5 &\n")
    with only_one(directory):
        assert not record(report(ONE), directory, hook=hook).problems
    with only_one(directory):
        pass


def test_a_directory_that_can_not_be_made(tmp_path: File) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(DriftError, match="let this account write there, or name another"),
        only_one(tmp_path / "file"),
    ):
        pass
