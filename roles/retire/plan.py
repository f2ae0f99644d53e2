"""What goes from a host that leaves, and what forbids that it does. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from roles.container.plan import directories
from roles.container.spec import PART_LABEL
from roles.observed import Container
from roles.registry.plan import ROLE as REGISTRY
from roles.registry.plan import leaving_problems
from roles.run import away
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.run.wanted import ROLE_OF_GROUP

ROLE = "retire"
PURGE = "--data purge=true"
NEEDED = {role: group for group, role in ROLE_OF_GROUP.items() if group != "sdk"}
"""The parts of which one has to stay, and what they are called."""


def leaving(fleet: Fleet) -> list[Member]:
    return [member for member in fleet if member.is_leaving]


def before(member: Member) -> Member:
    """A host that leaves as the member that it was: with its parts."""
    return replace(member, is_leaving=False)


def containers(member: Member) -> list[Container]:
    """All that Dockyard has made on a host, of whatever part."""
    return [c for c in member.observed.containers if c.labels.get(PART_LABEL)]


def images(member: Member) -> list[str]:
    """The tags of the images that Dockyard has brought to a host; base images stay."""
    names = {part.image.name for part in before(member).parts.values()}
    made_from = {container.image for container in containers(member)}
    tags = (tag for image in member.observed.images for tag in image.tags)
    return [tag for tag in tags if tag in made_from or tag.rpartition(":")[0] in names]


def data(member: Member) -> list[str]:
    """The directories of its parts that are there."""
    mounts = [d.path for part in before(member).parts.values() for d in directories(part)]
    return [path for path in dict.fromkeys(mounts) if path in member.observed.paths]


def check(fleet: Fleet) -> list[Problem]:
    going = leaving(fleet)
    if not going and fleet.unreachable:
        return []  # it is they; the survey tells
    if not going or len(going) == len(fleet.members):
        text = "expected the hosts that leave, and at least one that stays: add --limit HOST"
        return [Problem(None, ROLE, text)]
    was = replace(fleet, members=tuple(map(before, fleet.members)))
    problems = [*_all_at_once(fleet), *leaving_problems(was, {member.name for member in going})]
    problems += away.unconfirmed(going)
    return problems + [problem for member in going for problem in _of(member)]


def _all_at_once(fleet: Fleet) -> Iterator[Problem]:
    for role, group in NEEDED.items():
        had = [member.name for member in leaving(fleet) if before(member).part(role)]
        stay = fleet.running(role) if role == REGISTRY else fleet.in_service(role)
        if had and not stay:
            text = f"would leave no host of the group '{group}' in service; have another join first"
            yield Problem(None, ROLE, text)


def _of(member: Member) -> Iterator[Problem]:
    if member.observed.hides_containers:
        text = "its Docker engine does not answer, so what runs there can't be stopped; start it"
        yield Problem(member.name, ROLE, text)


def plan(fleet: Fleet) -> list[Change]:
    return [change for member in leaving(fleet) for change in changes(member)]


def changes(member: Member) -> list[Change]:
    """All that is done to a host that leaves, in the order in which it is."""
    why = "the host leaves"
    found = [
        Change(member.name, ROLE, f"remove container {c.name}", why, interrupts=c.running)
        for c in containers(member)
    ]
    found += [Change(member.name, ROLE, f"remove image {tag}", why) for tag in images(member)]
    if member.wanted.purge:
        found += [Change(member.name, ROLE, f"remove {path}", PURGE) for path in data(member)]
    if member.observed.releases.kept or member.observed.drained:
        found.append(Change(member.name, ROLE, "forget what it has run", why))
    return [*found, Change(member.name, ROLE, "leave the fleet", "asked for")]
