"""The records on hosts: read by root, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from gevent.pool import Pool
from pyinfra.api import Host, State

from roles.observed import Pin, channel, forget
from roles.observed.releases import PINS, RELEASES, read_pins
from roles.observed.whole_file import put
from roles.release.record import Record, Unreadable, read
from roles.run.connecting import AT_ONCE

T = TypeVar("T")
LIMIT_S = 30

_KEEP = f"""
cd {RELEASES} || exit
for file in *.json; do
    case " $* " in *" ${{file%.json}} "*) ;; *) rm -f -- "$file" || exit ;; esac
done
"""
_READ = f"""
[ ! -f {PINS} ] || printf 'pins %s\\n' "$(head -n 1 {PINS})"
cd {RELEASES} 2>/dev/null || exit 0
[ ! -f current ] || printf 'current %s\\n' "$(head -n 1 current)"
for file in *.json; do
    [ ! -f "$file" ] || printf '%s %s\\n' "${{file%.json}}" "$(tr -d '\\n' <"$file")"
done
"""


@dataclass(frozen=True)
class Kept:
    """Every record of a host."""

    current: str | None = None
    records: Mapping[str, Record] = field(default_factory=dict)
    """By the release's name."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The release's name to why its record can't be used."""
    pins: tuple[Pin, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*self.records, *self.unreadable))


def read_all(state: State, host: Host) -> Kept:
    """Read a host's records. What is read is in no error.

    Raises:
        RemoteError: the host could not be asked, or its pins are spoilt.
    """
    told = bytearray()
    channel.run(
        state, host, _READ, timeout_s=LIMIT_S, on_stdout=told.extend, called="reading the releases"
    )
    try:
        return parsed(told.decode("utf-8", errors="replace"))
    except ValueError as error:
        raise channel.RemoteError(str(error)) from error


def parsed(text: str) -> Kept:
    """Read lines of `NAME RECORD`, `current NAME` and `pins JSON`.

    Raises:
        ValueError: the pins are spoilt.
    """
    current, pins = None, "[]"
    records: dict[str, Record] = {}
    unreadable: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, said = line.partition(" ")
        if name == "current":
            current = said
        elif name == "pins":
            pins = said
        elif name:
            try:
                records[name] = read(said)
            except Unreadable as why:
                unreadable[name] = str(why)
    return Kept(current, records, unreadable, read_pins(pins))


def write(state: State, host: Host, record: Record) -> None:
    """Raises RemoteError."""
    put(state, host, f"{RELEASES}/{record.name}.json", record.text)


def make_current(state: State, host: Host, name: str, kept: Iterable[str]) -> None:
    """Have a host run a release, by its records, and remove all but the `kept` ones.

    Raises:
        RemoteError: the host could not be told.
    """
    put(state, host, f"{RELEASES}/current", f"{name}\n")
    words = ["sh", "-c", _KEEP, "keep", *kept]
    channel.run(state, host, words, timeout_s=LIMIT_S, called="removing old releases")
    forget(host)


def pin(state: State, host: Host, pins: Iterable[Pin]) -> None:
    """Have a host's pins be these. Raises RemoteError."""
    put(state, host, PINS, json.dumps([asdict(each) for each in pins]) + "\n")
    forget(host)


def each(hosts: Iterable[Host], step: Callable[[Host], T]) -> dict[Host, T | channel.RemoteError]:
    """Do the same on many hosts at once. A host on which it fails has its error for a value."""

    def done(host: Host) -> T | channel.RemoteError:
        try:
            return step(host)
        except channel.RemoteError as error:
            return error

    listed = list(hosts)
    return dict(zip(listed, Pool(AT_ONCE).map(done, listed), strict=True))
