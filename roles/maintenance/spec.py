"""What an operator says of hosts that are to leave for a while, and asks to be shown."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from roles.run.model import Data

_DURATION = re.compile(r"([1-9]\d{0,5})([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_S = 30 * 86400


def seconds(duration: str) -> int:
    """Return how long `90s`, `30m`, `2h` or `1d` is, in seconds.

    Raises:
        ValueError: it is none of these, or longer than 30 days.
    """
    match = _DURATION.fullmatch(duration)
    found_s = int(match[1]) * _UNITS_S[match[2]] if match else 0
    if not 1 <= found_s <= LONGEST_S:
        raise ValueError(
            f"expected a time like 90s, 30m, 2h or 1d (30d at most), found '{duration}'"
        )
    return found_s


def _duration(value: str) -> str:
    seconds(value)
    return value


class DrainWish(Data):
    """Why, and for how long."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]
    duration: Annotated[str, AfterValidator(_duration)] = "1h"


class LogsWish(Data):
    """Whose log, and how much of it."""

    part: Literal["registry", "engine", "proxy", "sdk"]
    tail: Annotated[int, Field(ge=0)] = 100
    """How many of the last lines of each host."""
    follow: bool = False
