"""What is wrong, said so that the operator can mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """Something that forbids a run: where it is, what was found and what to do.

    `host` is None where it concerns the inventory as a whole; `key` is a path in the data, such as
    `soa_engine.port`, or the name of what was checked.
    """

    host: str | None
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.host or 'inventory'}: {self.key}: {self.text}"


class Refused(Exception):
    """A run can't start; carries every problem of every host."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda p: (p.host or "", p.key, p.text))
        super().__init__("\n".join(f"  {problem}" for problem in self.problems))
