"""Our own ensemble: what each server runs, what its data directory lacks, who joins. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from roles.container.instance import current, serving
from roles.container.plan import container_problems, directory_problems, part_changes
from roles.container.spec import PART_LABEL, ContainerSpec, resolve
from roles.images.plan import image_of
from roles.registry.data import members_path, myid_path, recorded_id, server
from roles.registry.ensemble import (
    IN_DATA,
    ensemble,
    given_members,
    has_fixed_members,
    is_founding,
    is_member,
    joining,
    leaving,
    listed,
    members,
    server_ids,
    wanted_members,
)
from roles.run.address import REGISTRY_VARIABLE
from roles.run.changes import Change, Gap
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ROLE = "registry"
OF_MEMBERS = "ensemble"
"""With `.ID` behind it: what a member that joins or leaves is called where hosts differ."""
JOIN_ALONE = "deploy/bootstrap.py"
"""The deploy file that lets a server join though its limit names that one alone."""


def data_change(fleet: Fleet, member: Member) -> Change | None:
    """What a data directory lacks; None where it lacks nothing, or the server is to join."""
    gaps = data_gaps(fleet, member)
    if not gaps or member in joining(fleet):
        return None
    number = server_ids(fleet)[member.name]
    lacks_id = gaps[0].path == myid_path(member)
    verb = "found" if is_founding(fleet) else "join" if lacks_id else "tell"
    what = (
        f"server {number} of its members" if verb == "tell" else f"the ensemble as server {number}"
    )
    why = f"{gaps[0].path} {gaps[0].found}" if lacks_id else f"{gaps[0].path}: {gaps[0].found}"
    return Change(member.name, ROLE, f"{verb} {what}", why, gaps=tuple(gaps))


def data_gaps(fleet: Fleet, member: Member) -> list[Gap]:
    """The lines that a data directory lacks: the server's ID, and whom it is to begin with."""
    number, given = str(server_ids(fleet)[member.name]), given_members(fleet, member)
    gaps = [] if recorded_id(member) else [Gap(myid_path(member), number, "absent")]
    found = member.observed.first_lines.get(members_path(member), "absent")
    if given and found != given:
        gaps.append(Gap(members_path(member), given, found))
    return gaps


@dataclass(frozen=True)
class MemberStep:
    """One member more, or one less."""

    number: int
    address: str | None
    """Where it is reached; None: it is to leave."""
    change: Change


def member_steps(fleet: Fleet) -> list[MemberStep]:
    """Who is to join the ensemble, then who is to leave it."""
    has_run = ensemble(fleet)
    if has_run is None:
        return []
    steps = []
    for member in joining(fleet):
        number, address = server_ids(fleet)[member.name], str(member.address)
        gap = Gap(f"{OF_MEMBERS}.{number}", address, has_run.members.get(number, "absent"))
        action, why = f"join the ensemble as server {number}", f"the ensemble is {has_run}"
        change = Change(member.name, ROLE, action, why, gaps=(gap,))
        steps.append(MemberStep(number, address, change))
    stays = [*members(fleet), *fleet.registry_servers][:1]
    for number, address in leaving(fleet).items() if stays else ():
        gap = Gap(f"{OF_MEMBERS}.{number}", "absent", address)
        action, why = f"have server {number} ({address}) leave the ensemble", f"it is {has_run}"
        change = Change(stays[0].name, ROLE, action, why, gaps=(gap,))
        steps.append(MemberStep(number, None, change))
    return steps


def member_changes(fleet: Fleet) -> list[Change]:
    return [step.change for step in member_steps(fleet)]


def leaving_problems(fleet: Fleet, going: Collection[str]) -> list[Problem]:
    """What forbids that these hosts leave for good: all servers that stay have to serve.

    Each step is proven by all of them; with one that is down the first would be the last.
    """
    leavers = [member.name for member in members(fleet) if member.name in going]
    stay = [member for member in members(fleet) if member.name not in going]
    if not leavers:
        return []
    if not stay:
        text = (
            f"would leave no server in the ensemble {ensemble(fleet)}: it would serve nobody; "
            "have another host join the group `registry` first"
        )
        return [Problem(", ".join(leavers), "registry.server", text)]
    text = (
        f"does not run, and stays in the ensemble {ensemble(fleet)}: nobody may leave it "
        "meanwhile; start it (deploy/soa.py), or have it leave, too"
    )
    silent = [m.name for m in stay if not serving(m.observed, server(m).container)]
    return [Problem(name, "registry.server", text) for name in silent]


def container(fleet: Fleet, member: Member) -> ContainerSpec:
    part = server(member)
    environment = {
        "ZOO_MY_ID": str(server_ids(fleet)[member.name]),
        "ZOO_ADDRESS": str(member.address),
        "ZOO_CLIENT_PORT": str(part.port),
        "ZOO_HEAP_MB": str(part.heap_mb),
        "ZOO_SERVERS": IN_DATA,
    }
    return resolve(ROLE, part, image_of(member, ROLE), str(member.own_address), environment)


def check(fleet: Fleet) -> list[Problem]:
    connections = {member.wanted.registry.connection for member in fleet}
    servers = fleet.running(ROLE)
    if len(connections) > 1:
        found = ", ".join(sorted(map(str, connections)))
        text = f"must be the same for every host, found {found}; set it in group_data/all.py"
        return [Problem(None, "registry.connection", text)]
    if any(connections) and servers:
        named = ", ".join(member.name for member in servers)
        text = f"a registry that exists already is given, but the group `registry` holds {named}; "
        return [Problem(None, "registry.connection", f"{text}empty the group, or remove the key")]
    lacks = not any(connections) and not servers and not any(m.is_leaving for m in fleet)
    if lacks and fleet.members and fleet.has_whole_registry:
        text = (
            "the group `registry` is empty and no registry that exists already is given; "
            "add hosts to the group, or set registry.connection = 'host:2181,...'"
        )
        return [Problem(None, "registry.connection", text)]
    of_servers = [problem for member in servers for problem in _problems(fleet, member)]
    return of_servers + list(_member_problems(fleet))


def _problems(fleet: Fleet, member: Member) -> Iterator[Problem]:
    yield from container_problems(member.name, container(fleet, member), member.observed)
    yield from directory_problems(member, ROLE)
    own = recorded_id(member)
    line = member.observed.first_lines.get(myid_path(member))
    if line is not None and own is None:
        text = f"{myid_path(member)} holds '{line:.40}', expected a number from 1 to 255"
        yield Problem(member.name, "registry.server.data", f"{text}; find out whose data this is")
    twins = [m.name for m in fleet.registry_servers if m != member and recorded_id(m) == own]
    if own and twins:
        text = f"{myid_path(member)} holds {own}, and so does that of {', '.join(twins)}"
        yield Problem(member.name, "registry.server.data", f"{text}; each needs its own")


def _member_problems(fleet: Fleet) -> Iterator[Problem]:
    """Other members than the ensemble has: it must outlive that, and all must learn of them."""
    has_run, changes = ensemble(fleet), member_changes(fleet)
    if has_run is None:
        yield from _others_problems(fleet)
    if has_run is None or not changes:
        return
    wanted = listed(wanted_members(fleet))
    becomes = f"the ensemble is {has_run}, and would become {wanted}"
    if not any(is_member(fleet, member) for member in fleet.registry_servers):
        text = f"{becomes}: none of its servers stays, and nobody could take the others in"
        yield Problem(None, "registry.server", f"{text}; leave one in the group `registry`")
    addresses = has_run.members.values()
    fixed = [m.name for m in fleet if str(m.address) in addresses and has_fixed_members(m)]
    if fixed:
        text = (
            f"{becomes}: {', '.join(fixed)} can't change members yet, being of an image from "
            "before, whose members stand in a variable; run deploy/soa.py with the group "
            "`registry` as it was, first"
        )
        yield Problem(None, "registry.server", text)
    new = {member.name for member in joining(fleet)}
    concerned = [m for m in fleet if m.name in new or is_told_otherwise(fleet, m)]
    outside = [m.name for m in concerned if not m.in_limit and not m.drained]
    if outside:
        text = (
            f"{becomes}: that concerns hosts outside the limit, too: {', '.join(outside)}; run "
            f"without --limit, or {JOIN_ALONE} --limit NEW for new hosts alone, or put the group "
            "`registry` back"
        )
        yield Problem(None, "registry.server", text)


def _others_problems(fleet: Fleet) -> Iterator[Problem]:
    """A second ensemble beside one that serves: half of all would register where nobody looks."""
    servers = {member.name for member in fleet.registry_servers}
    for member in fleet if servers else ():
        if member.name in servers:
            continue
        for found in member.observed.containers:
            if found.running and found.labels.get(PART_LABEL) == ROLE:
                text = (
                    f"a server of the registry runs here ({found.name}), and none of its ensemble "
                    "is in the group `registry`, where another would be founded; leave one of its "
                    "servers in the group until the new ones have joined, or remove the container"
                )
                yield Problem(member.name, "registry.server", text)


def is_told_otherwise(fleet: Fleet, member: Member) -> bool:
    """Whether a container of a host was told other addresses of the registry than it has."""
    names = [part.container for role, part in member.parts.items() if role != ROLE]
    found = [current(member.observed, name) for name in names]
    told = {each.environment.get(REGISTRY_VARIABLE) for each in found if each}
    return bool(told - {None, fleet.registry_connection})


def plan(fleet: Fleet) -> list[Change]:
    data = [data_change(fleet, m) for m in fleet.registry_servers if m.in_limit]
    founding = [change for change in data if change]
    return founding + part_changes(fleet, ROLE, container) + member_changes(fleet)
