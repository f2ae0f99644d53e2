"""Hosts are rebooted, one after the other, without a request lost. Pure."""

from __future__ import annotations

from roles.maintenance.drain import ROLE
from roles.run import away
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem


def check(fleet: Fleet) -> list[Problem]:
    asked = [member for member in fleet if member.in_limit]
    return [
        Problem(m.name, ROLE, f"its init is {m.observed.init}; expected systemd, to reboot by")
        for m in asked
        if m.observed.init != "systemd"
    ] + [*away.unconfirmed(asked)]


def plan(fleet: Fleet) -> list[Change]:
    return [
        Change(member.name, ROLE, "reboot", _why(member), interrupts=True)
        for member in fleet
        if member.in_limit
    ]


def _why(member: Member) -> str:
    """Somebody may be at work on a host that is drained."""
    return f"asked for, though it is drained {member.drained}" if member.drained else "asked for"
