"""Files that hosts are given: fetched once by this machine, and used only as their hash says."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path

import gevent

from roles.docker_engine.spec import Download

TIMEOUT_S = 60
FETCH_S = 1800
"""Bounds the whole of a file, however slowly it drips."""
MOST_KEY_BYTES = 1024 * 1024
CHUNK_BYTES = 1024 * 1024
FETCHING = (OSError, HTTPException, ValueError)
"""How fetching fails: the latter two where no HTTP is spoken, or where the URL names no place."""


class Unusable(Exception):
    """A file could not be had, or is not what it should be; the text says which."""


def cache() -> Path:
    """Where fetched files are kept, each below its hash: `dockyard` in XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dockyard"


def local(download: Download) -> Path:
    """Return a file on this machine that has the content that was asked for.

    Raises:
        Unusable: there is no such file, it can't be fetched, or its content is another.
    """
    if download.path:
        path = Path(download.path)
        _check(path, download)
        return path
    kept = cache() / download.sha256 / download.name
    try:
        _check(kept, download)
    except Unusable:  # not there yet, or spoilt since
        _fetch(download, kept)
    return kept


def key_material(place: str) -> bytes:
    """Return a key file's content, from a URL or a path on this machine; at most 1 MiB.

    Raises:
        Unusable: it can't be read.
    """
    try:
        if not place.startswith(("http://", "https://")):
            return Path(place).read_bytes()
        with (
            gevent.Timeout(TIMEOUT_S, TimeoutError(f"no end after {TIMEOUT_S} s")),
            urllib.request.urlopen(place, timeout=TIMEOUT_S) as answer,
        ):
            return bytes(answer.read(MOST_KEY_BYTES))
    except FETCHING as error:
        raise Unusable(f"{place} can't be read: {error}") from error


def _check(path: Path, download: Download) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unusable(f"'{path}' can't be read: {error.strerror}") from error
    _compare(found, download)


def _compare(found: str, download: Download) -> None:
    if found != download.sha256:
        raise Unusable(f"{download.place}: expected sha256 {download.sha256}, found {found}")


def _fetch(download: Download, target: Path) -> None:
    """Fetch beside the target, and rename when the hash is right: nothing unchecked is kept."""
    assert download.url is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        try:
            with (
                gevent.Timeout(FETCH_S, TimeoutError(f"no end after {FETCH_S} s")),
                urllib.request.urlopen(download.url, timeout=TIMEOUT_S) as answer,
            ):
                while chunk := answer.read(CHUNK_BYTES):
                    content.update(chunk)
                    file.write(chunk)
            file.close()
            _compare(content.hexdigest(), download)
            os.replace(file.name, target)
        except FETCHING as error:
            raise Unusable(f"{download.url} can't be fetched: {error}") from error
        finally:
            Path(file.name).unlink(missing_ok=True)
