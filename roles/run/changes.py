"""A change: what differs on a host, and how it will be mended. Plans return them."""

from __future__ import annotations

from dataclasses import dataclass


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

    def __str__(self) -> str:
        interrupts = " (interrupts)" if self.interrupts else ""
        return f"{self.host}: {self.role}: {self.action}: {self.why}{interrupts}"
