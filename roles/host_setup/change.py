"""A change of a host's own settings, with the commands that carry it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from roles.host_setup.commands import Step, place
from roles.run.changes import Change, Gap, file_gap
from roles.run.fleet import Member
from roles.run.problems import Problem

ROLE = "host_setup"
BEGIN, END = "# dockyard: begin", "# dockyard: end"
"""The marks of a block of ours in somebody's file."""
Kind = Literal["user", "keys", "sudo", "others", "lock", "system"]
ACCOUNT: tuple[Kind, ...] = ("user", "keys", "sudo")
"""What the ordinary login needs."""
LOCK: tuple[Kind, ...] = ("others", "lock")
"""What takes other keys, and passwords, away; comes after the proof that the ordinary one works."""
SYSTEM: tuple[Kind, ...] = ("system",)


@dataclass(frozen=True)
class SetupChange(Change):
    """What differs, and the steps that mend it, in their order; `user` is pyinfra's own to make."""

    kind: Kind = "system"
    steps: tuple[Step, ...] = field(default=(), compare=False)


def change(
    member: Member,
    action: str,
    gaps: list[Gap],
    *steps: Step,
    kind: Kind = "system",
) -> list[SetupChange]:
    """The one change that closes all of these gaps; none where there is no gap."""
    if not gaps:
        return []
    why = gaps[0].found if len(gaps) == 1 else f"{len(gaps)} of its settings differ"
    return [SetupChange(member.name, ROLE, action, why, False, tuple(gaps), kind, steps)]


def file_gaps(member: Member, path: str, content: bytes, mode: str = "644") -> list[Gap]:
    gap = file_gap(member.observed, path, content, mode)
    return [gap] if gap else []


def file_changes(member: Member, path: str, content: bytes, apply: str = "") -> list[SetupChange]:
    """A file that we write whole, and what makes it count."""
    gaps = file_gaps(member, path, content)
    return change(member, f"write {path}", gaps, place(path, content, apply=apply))


def block_problem(member: Member, key: str, path: str) -> Iterator[Problem]:
    """A file in which the end of our block can't be told: all that follows would go with it."""
    if path in member.observed.setup.unended:
        yield Problem(member.name, key, unended(path))


def unended(path: str) -> str:
    """What is wrong with such a file, and what to do."""
    return (
        f"{path} there has a line '{BEGIN}' and no '{END}' after it, so what follows can't be "
        "told from Dockyard's own; put that line behind the block there"
    )


def lines(*text: str) -> bytes:
    return "".join(f"{line}\n" for line in text).encode()
