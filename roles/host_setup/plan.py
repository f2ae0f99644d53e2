"""What it takes to have a host itself as it is wanted, and what forbids it. Pure."""

from __future__ import annotations

from roles.host_setup import account, clock, kernel, naming, upkeep
from roles.host_setup.change import ROLE, SetupChange
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

__all__ = ["ROLE", "changes", "check", "plan"]


def check(fleet: Fleet) -> list[Problem]:
    return [
        problem
        for member in fleet
        if member.in_limit
        for subject in (account, naming, clock, upkeep)
        for problem in subject.problems(member)
    ]


def plan(fleet: Fleet) -> list[Change]:
    return [change for member in fleet if member.in_limit for change in changes(member)]


def changes(member: Member) -> list[SetupChange]:
    """All that differs on one host, in the order in which it is mended."""
    found: list[SetupChange] = []
    for subject in (account, naming, clock, kernel, upkeep):
        found += subject.changes(member)
    return found
