"""A build context on this machine: its content's hash, and the archive that Docker builds from."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
from functools import cache
from pathlib import Path

from roles.images.spec import ImageSource

IGNORED = {"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def tag(source: ImageSource, base_image: str) -> str:
    """Return `name:HASH`, where the hash covers the context's files and the base image's name.

    Times and owners of files don't count; whether a file is executable does. A context that can't
    be read, which `unusable` tells, has that word for a hash.
    """
    try:
        return f"{source.name}:{_content_hash(source.context, base_image)}"
    except OSError:
        return f"{source.name}:unusable"


def tag_now(source: ImageSource, base_image: str) -> str:
    """Return what `tag` returns, but of the files as they are now: `tag` remembers."""
    _content_hash.cache_clear()
    return tag(source, base_image)


def unusable(source: ImageSource) -> str | None:
    """Why nothing can be built from the context; None where it is as it should be."""
    context = Path(source.context)
    if not context.is_dir():
        return "does not exist; expected a folder with a Dockerfile"
    if not (context / "Dockerfile").is_file():
        return "has no Dockerfile; expected a folder with a Dockerfile"
    try:
        _content_hash(source.context, "")
    except OSError as error:
        return f"can't be read: {error.strerror}: {error.filename}"
    return None


def archive(source: ImageSource) -> bytes:
    """Return the context as a tar archive that is the same wherever the same content is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in _files(source.context):
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = _mode(path)
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return buffer.getvalue()


@cache
def _content_hash(context: str, base_image: str) -> str:
    content = hashlib.sha256(base_image.encode())
    for name, path in _files(context):
        data = path.read_bytes()
        content.update(f"\0{name}\0{_mode(path):o}\0{len(data)}\0".encode())
        content.update(data)
    return content.hexdigest()[:12]


def _files(context: str) -> list[tuple[str, Path]]:
    """Every file with its name in the archive, sorted; links are followed, also to folders.

    None where the context is no folder, which the plan's `check` tells.
    """
    found: list[tuple[str, Path]] = []
    waiting = [Path(context)] if Path(context).is_dir() else []
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name in IGNORED:
                continue
            if path.is_symlink() and path.resolve() in path.absolute().parents:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            if path.is_dir():
                waiting.append(path)
            else:
                found.append((str(path.relative_to(context)), path))
    return sorted(found)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o111 else 0o644
