"""What differs on each host by itself: every role's plan, and what would forbid a deploy. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roles.container.instance import current
from roles.container.spec import PART_LABEL
from roles.docker_engine import plan as docker_engine
from roles.drift.model import Finding, Kind
from roles.host_check import plan as host_check
from roles.host_setup import plan as host_setup
from roles.images import plan as images
from roles.observed import Container
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.release import plan as release
from roles.run import conflicts
from roles.run.address import REGISTRY_VARIABLE
from roles.run.changes import Change, Gap
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine

ROLES = (host_setup, docker_engine, images, registry, soa_engine, proxy, sdk)
TOLD_WITHOUT_ENGINE = ("host_setup", "docker_engine", "host_check")


def differences(fleet: Fleet) -> list[Finding]:
    """Return all that a deploy would mend, and all that it would stumble over, host by host.

    Of a host that was deployed to and whose engine is stopped, nothing of its containers: they are
    not told, and may run on.
    """
    found = [one for role in ROLES for change in role.plan(fleet) for one in _of(fleet, change)]
    unfit = [refused(problem, "unfit") for problem in host_check.check(fleet)]
    checked = (*ROLES, release)
    problems = [*conflicts.check(fleet), *(p for role in checked for p in role.check(fleet))]
    found += [*unfit, *(refused(problem, "refused") for problem in problems)]
    found += [_unrecorded(member) for member in fleet if _has_lost_its_record(member)]
    hiding = {member.name for member in fleet if member.observed.hides_containers}
    return [one for one in found if one.host not in hiding or one.role in TOLD_WITHOUT_ENGINE]


def unmanaged(fleet: Fleet) -> list[Finding]:
    """Return the containers that nobody here has asked for."""
    return [
        Finding(member.name, "container", found.name, "absent", f"of {found.image}", "unmanaged")
        for member in fleet
        if member.in_limit
        for found in member.observed.containers
        if _is_unasked(member, found)
    ]


def _of(fleet: Fleet, change: Change) -> Iterator[Finding]:
    for gap in change.gaps or (Gap(change.action, "done", change.why),):
        if fleet.has_whole_registry or not _is_registrys(gap):
            kind = _kind(fleet[change.host], gap)
            path, wanted, found = gap.path, gap.wanted, gap.found
            yield Finding(change.host, change.role, path, wanted, found, kind, change.interrupts)


def _is_registrys(gap: Gap) -> bool:
    """What tells of every server of the registry is not to be judged where one was not read."""
    return gap.origin == "not yet deployed" and gap.path.endswith(REGISTRY_VARIABLE)


def _kind(member: Member, gap: Gap) -> Kind:
    """A container that was told an address which its host has no more is nobody's wish.

    Who is no member of the ensemble though he should be, or the other way round, is named so.
    """
    if gap.path.startswith(f"{registry.OF_MEMBERS}.") and "absent" in (gap.wanted, gap.found):
        return "missing" if gap.found == "absent" else "foreign"
    if gap.path.endswith(".environment.EXPORT_IP") and gap.origin == "not yet deployed":
        has = {str(address.ip) for address in member.observed.addresses}
        return gap.origin if gap.found in has or member.translated_to else "address moved"
    return gap.origin or "differs"


def _has_lost_its_record(member: Member) -> bool:
    """Whether it runs what we have put there, and does not know any more what that is."""
    containers = [current(member.observed, part.container) for part in member.parts.values()]
    is_deployed = any(found and PART_LABEL in found.labels for found in containers)
    return member.in_limit and is_deployed and member.observed.releases.current is None


def _unrecorded(member: Member) -> Finding:
    return Finding(
        member.name, release.ROLE, "record", "what the host runs", "absent, or spoilt", "differs"
    )


def refused(problem: Problem, kind: Kind) -> Finding:
    """What would end a deploy, as a finding."""
    role, _, path = problem.key.partition(".")
    return Finding(problem.host, role, path or problem.key, "fit for a deploy", problem.text, kind)


def _is_unasked(member: Member, found: Container) -> bool:
    """Whether it is not the one that serves as a part of the host: also another with our label."""
    part = member.parts.get(found.labels.get(PART_LABEL, ""))
    if part is None:
        return True
    return found.name != part.container and found is not current(member.observed, part.container)
