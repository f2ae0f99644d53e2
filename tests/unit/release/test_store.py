"""The scripts that keep records, under this machine's `sh`, in a folder of the test's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roles.observed import Pin, whole_file
from roles.observed.releases import PINS, RELEASES
from roles.release import store
from roles.release.store import Kept, parsed
from tests.unit.release.build import FIRST, SECOND
from tests.unit.release.test_record import made

TEXT = made().text


def sh(folder: Path, script: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    there = script.replace(RELEASES, str(folder / "releases")).replace(PINS, str(folder / "pins"))
    return subprocess.run(
        ["sh", "-c", there, "sh", *words], input=stdin, capture_output=True, text=True, timeout=20
    )


def put(folder: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "releases" / name
    return sh(folder, whole_file._PUT, str(file), str(len(text.encode())), stdin=text)


def test_a_record_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    assert put(tmp_path, f"{FIRST}.json", TEXT).returncode == 0
    file = tmp_path / "releases" / f"{FIRST}.json"
    assert file.read_text() == TEXT
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert put(tmp_path, f"{FIRST}.json", TEXT.replace("ann", "bob")).returncode == 0
    assert "bob" in file.read_text()


def test_what_comes_in_part_replaces_nothing(tmp_path: Path) -> None:
    put(tmp_path, "current", "whole")
    file = tmp_path / "releases" / "current"
    cut = sh(tmp_path, whole_file._PUT, str(file), "5", stdin="who")
    assert (cut.returncode, cut.stderr) == (1, "cut off\n")
    assert [path.name for path in file.parent.iterdir()] == ["current"]
    assert file.read_text() == "whole"


def test_what_is_kept_stays_and_the_other_records_go(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", "c.json", "current"):
        put(tmp_path, name, name)
    assert sh(tmp_path, store._KEEP, "a", "c").returncode == 0
    left = {path.name for path in (tmp_path / "releases").iterdir()}
    assert left == {"a.json", "c.json", "current"}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    first, second = made().renamed(FIRST, "ann@laptop"), made().renamed(SECOND, "bob@desk")
    for each in (first, second):
        put(tmp_path, f"{each.name}.json", each.text)
    put(tmp_path, "2026-01-09T00:00:00Z.json", "{")
    put(tmp_path, "current", f"{SECOND}\n")
    pin = '[{"part": "proxy", "digest": "d", "release": null, "by": "b", "at": "a"}]\n'
    (tmp_path / "pins").write_text(pin)
    assert parsed(sh(tmp_path, store._READ).stdout) == Kept(
        SECOND,
        {FIRST: first, SECOND: second},
        {"2026-01-09T00:00:00Z": "is spoilt"},
        (Pin("proxy", "d", None, "b", "a"),),
    )


def test_a_host_without_records_has_none(tmp_path: Path) -> None:
    read = sh(tmp_path, store._READ)
    assert (read.returncode, parsed(read.stdout)) == (0, Kept())


def test_spoilt_pins_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "pins").write_text("{\n")
    with pytest.raises(ValueError, match="is spoilt"):
        parsed(sh(tmp_path, store._READ).stdout)
