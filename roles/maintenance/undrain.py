"""A host that was sent away comes back before its time. Pure."""

from __future__ import annotations

from roles.maintenance.drain import ROLE
from roles.run.changes import Change
from roles.run.fleet import Fleet
from roles.run.problems import Problem


def check(fleet: Fleet) -> list[Problem]:
    return []


def plan(fleet: Fleet) -> list[Change]:
    return [
        Change(member.name, ROLE, "undrain", f"drained {member.drained}")
        for member in fleet
        if member.in_limit and member.drained
    ]
