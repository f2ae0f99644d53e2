"""A change: what differs on a host, and how it will be mended. Plans return them."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from roles.observed import Observed

Origin = Literal["by hand", "not yet deployed", "by hand, and not yet deployed"]
"""How it came to differ: found is not what was last applied, wanted is not, or neither is."""


@dataclass(frozen=True)
class Gap:
    """One thing on a host that is not as it is wanted."""

    path: str
    """What it is: a file, a unit, a package, or a container and its field (`NAME.memory_mb`)."""
    wanted: str
    found: str
    origin: Origin | None = None
    """None where nothing tells what was last applied."""


def holds(observed: Observed, path: str, content: bytes) -> bool:
    """Whether what a file holds is right; whose it is, or its mode, may not be."""
    return observed.sums.get(path) == sha256(content).hexdigest()


def file_gap(observed: Observed, path: str, content: bytes, mode: str = "644") -> Gap | None:
    """How a file that we write whole differs: in what it holds, what it is, or whose it is."""
    place, found = observed.paths.get(path), None
    if place and not place.kind.startswith("regular"):
        found = f"a {place.kind}"
    elif not holds(observed, path, content):
        found = "differs" if path in observed.sums else "absent"
    elif place and (place.owner, place.mode) != ("0:0", mode):
        return Gap(path, f"of 0:0, mode {mode}", f"of {place.owner}, mode {place.mode}")
    return Gap(path, "as Dockyard writes it", found) if found else None


@dataclass(frozen=True)
class Change:
    """One difference between what is wanted and what is.

    Deploy carries it out, `--dry` prints it and drift reports it, all with the same words.
    """

    host: str
    role: str
    action: str
    why: str
    interrupts: bool = False
    """Whether carrying it out takes something out of service for a moment."""
    gaps: tuple[Gap, ...] = field(default=(), compare=False)
    """What it mends, thing by thing."""

    def __str__(self) -> str:
        interrupts = " (interrupts)" if self.interrupts else ""
        return f"{self.host}: {self.role}: {self.action}: {self.why}{interrupts}"
