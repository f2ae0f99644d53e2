"""What a host's records tell of its releases, and of what was rolled back there.

The records themselves may hold secrets: the probe reads the first line of each alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

RELEASES = "/var/lib/dockyard/releases"
"""`NAME.json` is a record; `current` holds the name of the one that the host runs."""
PINS = "/var/lib/dockyard/pin.json"


@dataclass(frozen=True)
class ReleasedPart:
    """A part as a release has it on one host."""

    digest: str
    """A sign of all that was wished of its container (`roles/container/wish.py`)."""
    image: str
    """The tag."""
    image_id: str
    """`sha256:...`"""


@dataclass(frozen=True)
class Release:
    """What the head of a record says. `name` is the UTC time at which its run had ended."""

    name: str
    by: str
    parts: Mapping[str, ReleasedPart]
    """By role."""


@dataclass(frozen=True)
class Pin:
    """What was rolled back on a host: it is not deployed again unless somebody insists."""

    part: str
    digest: str
    release: str | None
    """Whose it was; None: of a deploy that never ended well."""
    by: str
    at: str


@dataclass(frozen=True)
class Releases:
    """The releases of one host, oldest first, and its pins."""

    kept: Mapping[str, Release] = field(default_factory=dict)
    """By name."""
    current_name: str | None = None
    pins: tuple[Pin, ...] = ()

    @property
    def current(self) -> Release | None:
        """What the host runs; None where no run has recorded that."""
        return self.kept.get(self.current_name or "")


def releases(lines: Iterable[str]) -> Releases:
    """Read the probe's section: `record|HEAD`, `current|NAME` and `pins|JSON`.

    A record that is spoilt tells none.

    Raises:
        ValueError: the pins are spoilt. Without them something bad could come back.
    """
    kept: dict[str, Release] = {}
    current, pins = None, "[]"
    for line in lines:
        kind, _, text = line.partition("|")
        if kind == "record":
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                found = release(head(text))
                kept[found.name] = found
        elif kind == "current":
            current = text or None
        elif kind == "pins":
            pins = text
    return Releases(dict(sorted(kept.items())), current, read_pins(pins))


def head(line: str) -> Mapping[str, object]:
    """Read a record's first line: a JSON object that goes on in the next."""
    found: Mapping[str, object] = json.loads(line.rstrip().removesuffix(",") + "}")
    return found


def release(told: Mapping[str, object]) -> Release:
    """Raises ValueError, KeyError, TypeError or AttributeError where it is none."""
    parts: Mapping[str, Mapping[str, str]] = told["parts"]  # type: ignore[assignment]
    return Release(
        str(told["name"]),
        str(told["by"]),
        {
            role: ReleasedPart(part["digest"], part["image"], part["image_id"])
            for role, part in parts.items()
        },
    )


def read_pins(text: str) -> tuple[Pin, ...]:
    """Raises ValueError."""
    try:
        return tuple(Pin(**pin) for pin in json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{PINS} is spoilt; see what it says, then remove it there") from error
