"""What scheduled checks keep in a directory of theirs, and whom they tell.

reports/20260301T120000.000000Z.json    one a run
last.json                               the newest of them
state.json                              what stands, and what the hook has been told
lock                                    held while a check runs
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from roles.drift import hook as hooks
from roles.drift.document import FORMAT, Spoilt, as_text, document, read, read_document
from roles.drift.model import Report
from roles.drift.news import Known, News, learned, news, told
from roles.drift.prometheus import prometheus
from roles.host_check.finding import one_line
from roles.run import whole_file
from roles.run.whole_file import Unwritable

NAME = "%Y%m%dT%H%M%S.%fZ"
"""Of a report's file, by its time in UTC: names sort as times do."""


class DriftError(Exception):
    """The history can't be used: where, why, and what to do."""


class Busy(DriftError):
    """Another check holds the directory."""


@dataclass(frozen=True)
class State:
    """What later runs need to know."""

    standing: Known
    """After the last run."""
    told: Known
    """What the hook has been told; behind `standing` where there is none, or where it failed."""


@dataclass(frozen=True)
class Recorded:
    since_last: News
    """What has changed since the run before; everything is new at the first."""
    problems: tuple[str, ...] = ()
    """What could not be kept or told, in sentences. Each is tried again by the next run."""


_STATE = TypeAdapter(State)


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the directory, which is made where it is absent, while the block runs.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        Busy: another process holds it.
        DriftError: it can't be made or opened.
    """
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        number = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DriftError(
            f"{directory} can't be used: {error}; let this account write there, or name another"
        ) from error
    with open(number, "r+", encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                f"{directory}: another check runs, {one_line(file.read(200)) or 'just begun'}; "
                "wait until it has ended"
            ) from error
        except OSError as error:
            raise DriftError(f"{directory / 'lock'} can't be locked: {error}") from error
        since = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):  # on a full disk nobody can be told who holds it
            file.truncate()
            file.write(f"process {os.getpid()} since {since}\n")
            file.flush()
        yield


def record(
    report: Report,
    directory: Path,
    keep: int,
    keep_days: int,
    textfile: Path | None = None,
    hook: Path | None = None,
) -> Recorded:
    """Keep a report, and tell what has changed; to be called within `only_one(directory)`.

    A step that fails keeps no other from being made: a full disk keeps nobody from being told.

    Args:
        keep, keep_days: how many reports are kept, and for how many days. The newest stays.
        textfile: where node_exporter's textfile collector reads; the name ends in `.prom`.
        hook: called with the news where something has changed since it was last told.
    """
    problems: list[str] = []
    state = _read_state(directory, problems)
    its_own = _keep_report(report, directory, problems)
    if textfile:
        _write(textfile, prometheus(report), problems)
    since_last = news(state.standing, report)
    state = replace(state, standing=learned(state.standing, report))
    _write_state(state, directory, problems)
    if hook and _tell(news(state.told, report), report, hook, problems):
        state = replace(state, told=learned(state.told, report))
        _write_state(state, directory, problems)
    _prune(directory, its_own, keep, report.made_at - timedelta(days=keep_days), problems)
    return Recorded(since_last, tuple(dict.fromkeys(problems)))


def _tell(its: News, report: Report, hook: Path, problems: list[str]) -> bool:
    """Whether the hook knows the news now; it is not called where there are none."""
    try:
        if its:
            hooks.call(hook, as_text(told(its, report)))
    except hooks.HookFailed as error:
        problems.append(f"{error}; it is called again by the next run")
        return False
    return True


def _keep_report(report: Report, directory: Path, problems: list[str]) -> Path:
    path = directory / "reports" / f"{report.made_at.astimezone(UTC).strftime(NAME)}.json"
    with suppress(OSError):  # writing into it says what is wrong
        path.parent.mkdir(exist_ok=True)
    text = as_text(document(report))
    _write(path, text, problems)
    _write(directory / "last.json", text, problems)
    return path


def _write(path: Path, text: str, problems: list[str]) -> None:
    try:
        whole_file.write(path, text)
    except Unwritable as error:
        problems.append(str(error))


def _write_state(state: State, directory: Path, problems: list[str]) -> None:
    text = as_text({"format": FORMAT, **asdict(state)})
    _write(directory / "state.json", text, problems)


def _read_state(directory: Path, problems: list[str]) -> State:
    """The state; where it is lost, what the last report tells, and nothing as told."""
    path = directory / "state.json"
    try:
        return read(_STATE, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, Spoilt) as error:
        problems.append(f"{path} can't be used: {error}; everything that stands is told again")
    with suppress(OSError, ValueError, Spoilt):
        last = read_document((directory / "last.json").read_text(encoding="utf-8"))
        return State(learned(Known(), last), Known())
    return State(Known(), Known())


def _prune(directory: Path, newest: Path, keep: int, oldest: datetime, problems: list[str]) -> None:
    """Remove reports beyond the bounds, and what a run that was killed was writing.

    Files with other names are somebody else's.
    """
    try:
        for folder in (directory, newest.parent):
            for left in folder.glob(f"{whole_file.PREFIX}*{whole_file.SUFFIX}"):
                left.unlink(missing_ok=True)
        reports = {path: at for path in newest.parent.iterdir() if (at := _made_at(path))}
        reports.pop(newest, None)
        newest_first = sorted(reports, reverse=True)
        for index, path in enumerate(newest_first, start=1):
            if index >= keep or reports[path] < oldest:
                path.unlink(missing_ok=True)
    except OSError as error:
        problems.append(f"old reports can't be removed: {error}")


def _made_at(path: Path) -> datetime | None:
    """When a report was made, by its file's name; None where that is no report's."""
    try:
        return datetime.strptime(path.name, f"{NAME}.json").replace(tzinfo=UTC)
    except ValueError:
        return None
