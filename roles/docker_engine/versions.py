"""Versions of engines, in the distributions' notations and in plain numbers."""

from __future__ import annotations

import re


def plain(version: str) -> str:
    """The engine's own version within a package's.

    `5:26.1.5-1~debian.12~bookworm`, `26.1.5+dfsg1-9+b9` and `3:26.1.5-1.el9` are all `26.1.5`.
    """
    return re.split(r"[-+~]", version.rpartition(":")[2], maxsplit=1)[0]


def without_epoch(version: str) -> str:
    return version.rpartition(":")[2]


def matches(wanted: str, version: str) -> bool:
    """Whether a package's version is the one that the data names, in either notation."""
    return wanted in (version, without_epoch(version), plain(version))


def is_older(version: str, than: str) -> bool:
    """Whether the engine's own version is older than another's."""
    return numbers(version) < numbers(than)


def numbers(version: str) -> tuple[int, ...]:
    """The engine's own version as numbers that compare; empty where it has none."""
    return tuple(int(number) for number in re.findall(r"\d+", plain(version)))
