"""The text of a known_hosts file: which keys of a host are pinned, and pin or forget some. Pure.

Lines that are not meant, and comments, stay as they are, byte for byte.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1, sha256

SSH_PORT = 22


@dataclass(frozen=True)
class HostKey:
    """A host's public key: its type, such as `ssh-ed25519`, and what it is made of."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As OpenSSH shows it."""
        return fingerprint(self.blob)

    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}"


def fingerprint(blob: bytes) -> str:
    """What a public key is called, host's or user's: as OpenSSH shows it."""
    return f"SHA256:{b64encode(sha256(blob).digest()).decode().rstrip('=')}"


def host_key(text: str) -> HostKey | None:
    """Read `TYPE BASE64 [COMMENT]`, a line of an `ssh_host_*_key.pub`; None where it is none."""
    kind, _, rest = text.strip().partition(" ")
    return _key(kind, rest.split()[0]) if rest.split() else None


def name_of(address: str, port: int = SSH_PORT) -> str:
    """What a host is called in the file."""
    return address if port == SSH_PORT else f"[{address}]:{port}"


def pinned(text: str, name: str) -> tuple[HostKey, ...]:
    """Return the keys of the host that is called `name`, in the file's order."""
    return tuple(key for line in text.splitlines() if (key := _key_of(line, name)))


def added(text: str, name: str, keys: Iterable[HostKey]) -> str:
    """Return the text with these keys of a host at its end; those that it has are not repeated."""
    known = pinned(text, name)
    new = [key for key in keys if key not in known]
    if new and text and not text.endswith("\n"):
        text += "\n"
    return text + "".join(f"{name} {key.type} {b64encode(key.blob).decode()}\n" for key in new)


def removed(text: str, name: str, keys: Iterable[HostKey] | None = None) -> str:
    """Return the text without a host's keys, all or these; other names of a line stay."""
    going = None if keys is None else set(keys)
    lines = []
    for line in text.splitlines(keepends=True):
        key = _key_of(line, name)
        if key is None or (going is not None and key not in going):
            lines.append(line)
            continue
        names, rest = line.lstrip().split(maxsplit=1)
        others = [each for each in names.split(",") if not _is_called(each, name)]
        if others:
            lines.append(f"{','.join(others)} {rest}")
    return "".join(lines)


def _key_of(line: str, name: str) -> HostKey | None:
    """A line's key where the line is of that host. Comments and `@markers` are nobody's name."""
    fields = line.split()
    if len(fields) < 3 or not any(_is_called(each, name) for each in fields[0].split(",")):
        return None
    return _key(fields[1], fields[2])


def _is_called(listed: str, name: str) -> bool:
    """Whether a listed name, plain or hashed (`|1|salt|hash`), is a host's."""
    if not listed.startswith("|1|"):
        return listed == name
    try:
        salt, digest = (b64decode(part) for part in listed.split("|")[2:])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), sha1).digest(), digest)


def _key(kind: str, text: str) -> HostKey | None:
    try:
        blob = b64decode(text, validate=True)
    except (NoBase64, ValueError):
        return None
    return HostKey(kind, blob) if blob[4:].startswith(kind.encode()) else None
