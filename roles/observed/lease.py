"""Who may change a host now, as its own record tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

MOST_S = 3600
"""A lease that runs for longer is of a clock that was set back: nobody holds it."""


@dataclass(frozen=True)
class Lease:
    """A host's record of the lease; of a host that never was leased all is empty."""

    token: str = ""
    """The run's that has it, or had it when it ran out; empty where it was given back."""
    expires_s: int = 0
    """As all times here: seconds since 1970 by the host's clock."""
    generation: int = 0
    """How often the host was leased: it tells whether another has been there."""
    owner: str = ""
    """`user@machine`."""
    since_s: int = 0
    doing: str = ""
    """The deploy files."""
    left_s: int = 0
    """How long it was still held when it was read."""

    @property
    def is_held(self) -> bool:
        return 0 < self.left_s <= MOST_S

    @property
    def holder(self) -> str:
        """Who has it, or had it last, since when and for what."""
        return f"{self.owner} since {clock(self.since_s)} ({self.doing})"

    @property
    def expiry(self) -> str:
        return clock(self.expires_s)


def parse_lease(lines: list[str]) -> Lease:
    """Read `now=SECONDS` and, where there is a record, its lines with a `|` before each.

    What is spoilt is nobody's.
    """
    told = [line[1:] for line in lines if line.startswith("|")]
    now = next((line[4:] for line in lines if line.startswith("now=")), "")
    token, expires, generation, owner, since, doing, *_ = [*told, *[""] * 6]
    left_s = _number(expires) - _number(now) if token else 0
    return Lease(
        token, _number(expires), _number(generation), owner, _number(since), doing, max(left_s, 0)
    )


def lease_of(before: list[str], after: list[str]) -> Lease:
    """What was read before all else, but held by whoever has come while the rest was read."""
    first, last = parse_lease(before), parse_lease(after)
    return replace(last, generation=first.generation) if last.is_held else first


def clock(time_s: int) -> str:
    """A time as the operator's own clock shows it; of another day with the day."""
    told, today = time.localtime(time_s), time.localtime()
    is_today = told[:3] == today[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S", told)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
