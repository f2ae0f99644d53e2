from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path as File

import pytest

from roles.run.whole_file import Unwritable, write


def mode(path: File) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: File) -> File:
    path = tmp_path / "report.json"
    path.write_text("before")
    return path


def test_a_new_file_can_be_read_by_all(tmp_path: File) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "new", "text ü\udc80\n")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_text(encoding="utf-8") == "text ü?\n"
    assert mode(tmp_path / "new") == 0o644


def test_the_mode_is_kept_or_given(path: File) -> None:
    path.chmod(0o600)
    write(path, "after")
    assert (path.read_text(), mode(path)) == ("after", 0o600)
    write(path, "after", 0o640)
    assert mode(path) == 0o640


def test_a_link_is_followed(path: File) -> None:
    link = path.with_name("link")
    link.symlink_to(path.name)
    write(link, "after")
    assert link.is_symlink()
    assert path.read_text() == "after"


@pytest.mark.parametrize("name", [".", "fifo"])
def test_what_is_no_file_stays(tmp_path: File, name: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unwritable, match="no regular file; name another place"):
        write(tmp_path / name, "after")
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_a_directory_that_is_missing_is_named(tmp_path: File) -> None:
    with pytest.raises(Unwritable) as told:
        write(tmp_path / "absent" / "x", "after")
    assert str(told.value) == (
        f"{tmp_path}/absent/x can't be written: No such file or directory ({tmp_path}/absent); "
        "make that directory, or name another place"
    )


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.ENOSPC, "make room on that file system"),
        (errno.EACCES, "let this account write to that directory"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_failure_midway_leaves_what_was_there_and_nothing_else(
    path: File, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(f"os.{call}", fail)
    with pytest.raises(Unwritable, match=words):
        write(path, "after")
    monkeypatch.undo()
    assert path.read_text() == "before"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


LIMITED = """
import resource, sys
from pathlib import Path
from roles.run.whole_file import Unwritable, write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write(Path(sys.argv[1]), "x" * 5000)
except Unwritable as error:
    print(error)
"""


def test_a_file_that_the_system_cuts_off(path: File) -> None:
    """As on a full disk: a part of the text is written, and then no more."""
    told = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True)
    assert "report.json can't be written: File too large" in told.stdout, told.stderr
    assert path.read_text() == "before"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


DENIED = """
import os, sys
from pathlib import Path
from roles.run.whole_file import Unwritable, write
os.setuid(65534)
try:
    write(Path(sys.argv[1]), "after")
except Unwritable as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_an_account_that_may_not_write_there() -> None:
    with tempfile.TemporaryDirectory() as folder:
        File(folder).chmod(0o755)
        path = File(folder) / "report.json"
        path.write_text("before")
        told = subprocess.run([sys.executable, "-c", DENIED, path], capture_output=True, text=True)
        assert "let this account write to that directory" in told.stdout, told.stderr
        assert path.read_text() == "before"
