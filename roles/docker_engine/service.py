"""The engine's service by the operator's hand: start, stop, restart, host by host. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from roles.container.instance import current
from roles.container.spec import PART_LABEL
from roles.docker_engine.commands import Step, Told, stop_containers
from roles.docker_engine.materials import Materials
from roles.docker_engine.packages import installed_engine
from roles.docker_engine.plan import EngineChange
from roles.docker_engine.problems import ROLE
from roles.run import away
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ACTIONS = ("status", "start", "stop", "restart")


def check(fleet: Fleet) -> list[Problem]:
    if any(member.wanted.action is None for member in fleet):
        text = f"expected --data action=ACTION, where ACTION is one of {', '.join(ACTIONS)}"
        return [Problem(None, "action", text)]
    asked = [member for member in fleet if member.in_limit]
    stopped = [m for m in asked if any(change.interrupts for change in changes(m))]
    return [
        Problem(member.name, ROLE, "has no engine; deploy/engine.py installs one")
        for member in asked
        if installed_engine(member.observed) is None and member.observed.docker_version is None
    ] + [*away.unconfirmed(stopped)]


def plan(fleet: Fleet) -> list[Change]:
    return [change for member in fleet if member.in_limit for change in changes(member)]


def changes(member: Member) -> list[EngineChange]:
    """What the operator asks for, where it is not so already."""
    action, active = member.wanted.action, member.observed.docker_service.active
    verb = f"{action} docker.service"
    if action == "start" and (not active or _stopped_parts(member)):
        parts = _stopped_parts(member)
        named = f" and {', '.join(parts)}" if active else ""
        return [EngineChange(member.name, ROLE, f"start docker.service{named}", "stopped")]
    if action == "restart" or (action == "stop" and active):
        return [EngineChange(member.name, ROLE, verb, "asked for", active)]
    return []


def left(member: Member) -> list[EngineChange]:
    """What of it has not come about."""
    if member.wanted.action == "restart" and member.observed.docker_service.active:
        return []
    return changes(member)


def steps(
    member: Member, changes: list[EngineChange], brought: Materials, containers: Mapping[str, int]
) -> Told:
    """How a host is told; `containers` (name to seconds) are stopped before."""
    spec = member.wanted.docker_engine
    told: list[Step] = [["only_one", str(spec.lock_timeout_s)]]
    if containers:
        told.append(stop_containers(containers))
    start_s = str(spec.start_timeout_s)
    if member.wanted.action == "stop":
        return [*told, ["leave_stopped"], ["service_down"]], {}
    if member.wanted.action == "restart" and member.observed.docker_service.active:
        return [*told, ["service_again", start_s]], {}
    return [*told, ["service_up", start_s], ["start_ours", PART_LABEL]], {}


def _stopped_parts(member: Member) -> list[str]:
    """Our containers that an earlier stop has left."""
    found = [current(member.observed, part.container) for part in member.parts.values()]
    return [c.name for c in found if c and not c.running]
