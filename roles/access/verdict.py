"""Is it the host that is meant? Compare what it shows with what is pinned, or said."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from roles.access.known_hosts import HostKey


class Verdict(Enum):
    KNOWN = "known"
    """A key that it shows is pinned, and none contradicts."""
    NEW = "not pinned"
    """Nothing is pinned for it."""
    CHANGED = "changed"
    """It shows another key than the pinned one of that type, or none of the pinned types."""


def verdict(pins: Iterable[HostKey], shown: Iterable[HostKey]) -> Verdict:
    pinned, now = set(pins), set(shown)
    if not pinned:
        return Verdict.NEW
    types = {key.type for key in pinned}
    has_other = any(key.type in types and key not in pinned for key in now)
    return Verdict.KNOWN if pinned & now and not has_other else Verdict.CHANGED


def proven(shown: Iterable[HostKey], fingerprint: str) -> HostKey | None:
    """Return the key with a fingerprint; no other that is shown beside it is proven by it."""
    return next((key for key in shown if key.fingerprint == fingerprint), None)


def listed(keys: Iterable[HostKey]) -> str:
    return ", ".join(map(str, keys)) or "none"
