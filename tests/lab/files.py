"""Locks, atomic writes and removals that can't leave a file system by mistake."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.command import LabError, run


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, also against other processes; wait for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def overlay_options(layers: Sequence[str], upper: Path, work: Path) -> str:
    """Return the options that mount an overlay; ``layers`` are below it, topmost first."""
    for path in (*layers, str(upper)):
        if any(character in path for character in ",:\\"):
            raise LabError(f"{path}: an overlay can't be mounted from a path with , : or \\")
    return f"lowerdir={':'.join(layers)},upperdir={upper},workdir={work}"


def remove_tree(path: Path) -> None:
    """Remove a directory; whatever is mounted inside is left alone."""
    run(["rm", "-rf", "--one-file-system", "--", str(path)])
