"""A file on this machine, written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

MODE = 0o644
PREFIX, SUFFIX = ".dockyard-", ".tmp"
"""Of the new file while it is being written. Programs that read a folder by `*.prom` pass it by."""

MENDS = {
    errno.ENOENT: "make that directory, or name another place",
    errno.ENOTDIR: "name a place below a directory",
    errno.EISDIR: "name a file",
    errno.EACCES: "let this account write to that directory, or name another place",
    errno.EPERM: "let this account write to that directory, or name another place",
    errno.EROFS: "name a place on a file system that can be written",
    errno.ENOSPC: "make room on that file system",
    errno.EDQUOT: "make room within this account's quota",
}


class Unwritable(Exception):
    """A file could not be written: which, why, and what to do. What stood there stands."""


def write(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a file by a new one that holds `text`, also after a power cut; a link is followed.

    `mode`: of the file, as 0o600; None keeps what it has, or gives 0o644 to a new one. Halves of
    surrogate pairs, which no file can hold, become `?`.

    Raises:
        Unwritable: nothing was changed, and nothing is left beside it.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            raise Unwritable(f"{path} can't be written: it is no regular file; name another place")
        _replace(target, text.encode("utf-8", errors="replace"), mode)
    except OSError as error:
        why = f"{error.strerror} ({target.parent})" if error.strerror else str(error)
        mend = MENDS.get(error.errno or 0)
        raise Unwritable(f"{path} can't be written: {why}{f'; {mend}' if mend else ''}") from error


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    if mode is None:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else MODE
    number, beside = tempfile.mkstemp(dir=target.parent, prefix=PREFIX, suffix=SUFFIX)
    try:
        with open(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(beside, target)
    finally:
        Path(beside).unlink(missing_ok=True)
    _sync(target.parent)


def _sync(directory: Path) -> None:
    """Have the new name survive a power cut, where the file system knows how."""
    with suppress(OSError):
        number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
