"""Bastions that the host list names (`via`): the ssh_config that takes connections through them.

pyinfra's ProxyJump obeys, on each hop, nothing but that file.
"""

from __future__ import annotations

import atexit
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from roles.access.known_hosts import SSH_PORT

_HOP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?"
    r"(?:(?P<host>[A-Za-z0-9_.][A-Za-z0-9_.-]*)(?::(?P<port>\d{1,5}))?|(?P<v6>[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+))"
)
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")
_written: list[str] = []


@dataclass(frozen=True)
class Hop:
    """A bastion; `user` None: as whoever runs this."""

    address: str
    port: int = SSH_PORT
    user: str | None = None

    def __str__(self) -> str:
        name = self.address if self.port == SSH_PORT else f"{self.address}:{self.port}"
        return f"{self.user}@{name}" if self.user else name


def hop(text: str) -> Hop:
    """Read `[user@]address[:port]`.

    Raises:
        ValueError: it is none; the text says what was expected.
    """
    match = _HOP.fullmatch(text)
    port = int(match["port"] or SSH_PORT) if match else 0
    if not match or not 1 <= port <= 65535:
        raise ValueError(
            f"expected a bastion such as 'ops@bastion.example:22' (an IPv6 address has port 22), "
            f"found '{text}'"
        )
    return Hop(match["host"] or match["v6"], port, match["user"])


def ssh_config(ways: Mapping[str, Sequence[Hop]], known_hosts: str, key: str | None = None) -> str:
    """Return the ssh_config for hosts by their address, and the bastions on the way to each.

    `key`: what the bastions are logged in to with, beside the agent and this account's own keys.
    """
    for word in (known_hosts, *([key] if key else [])):
        if any(sign.isspace() for sign in word):
            raise ValueError(f"'{word}' has a blank, which ssh_config can't hold here; rename it")
    lines = []
    for address, hops in ways.items():
        if not _PLAIN.fullmatch(address):
            raise ValueError(f"expected an address or a name beside 'via', found '{address}'")
        lines += [f"Host {address}", f"  ProxyJump {','.join(map(str, hops))}"]
    for bastion in sorted({hop.address for hops in ways.values() for hop in hops}) if key else ():
        lines += [f"Host {bastion}", f"  IdentityFile {key}"]
    lines += ["Host *", "  StrictHostKeyChecking yes", f"  UserKnownHostsFile {known_hosts}"]
    return "\n".join(lines) + "\n"


def write(text: str) -> str:
    """Write an ssh_config that only this account reads; return its path. It lives as long as we."""
    number, path = tempfile.mkstemp(prefix="dockyard-ssh-", suffix=".conf")
    with open(number, "w") as file:
        file.write(text)
    if not _written:
        atexit.register(remove_written)
    _written.append(path)
    return path


def remove_written() -> None:
    """Remove what `write` has written; for a process that ends, or becomes another."""
    while _written:
        with suppress(OSError):
            os.unlink(_written.pop())
