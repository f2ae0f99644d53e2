"""Is it the host that is meant? Compare what it shows with what is pinned, or said."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from roles.access.known_hosts import HostKey

RSA = "ssh-rsa"
ONLY_RSA = "is its RSA key, which a connection from here is not shown while the host has others"


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


def passed_over(pins: Iterable[HostKey], shown: Iterable[HostKey]) -> bool:
    """Whether a connection will be shown a key that is not among the pins, though one of them is.

    paramiko asks first for the type that is pinned first. For an RSA key it does so by a signature
    of SHA-1, which today's OpenSSH does not make; any other key that a server has comes before.
    """
    pinned, now = set(pins), set(shown)
    others = {key for key in now if key.type != RSA}
    return bool(pinned & now) and bool(others) and not pinned & others


def listed(keys: Iterable[HostKey]) -> str:
    return ", ".join(map(str, keys)) or "none"
