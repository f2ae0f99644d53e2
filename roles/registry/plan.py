"""Our own ensemble: which server has which ID, what it runs, and what founds it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roles.container.plan import container_problems, directory_problems, part_changes
from roles.container.spec import ContainerSpec, resolve
from roles.images.plan import image_of
from roles.registry.spec import RegistryServer
from roles.run.changes import Change, Gap
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ROLE = "registry"
SERVER_IDS = range(1, 256)
MYID, INITIALIZE, HISTORY = "myid", "initialize", "version-2"


def server(member: Member) -> RegistryServer:
    assert member.wanted.registry.server is not None, f"{member.name} runs no registry"
    return member.wanted.registry.server


def myid_path(member: Member) -> str:
    return f"{server(member).data.host}/{MYID}"


def history_path(member: Member) -> str:
    """Where a server that has run keeps its snapshots and logs."""
    return f"{server(member).data.host}/{HISTORY}"


def recorded_id(member: Member) -> int | None:
    """The ID that stands in the host's data directory."""
    line = member.observed.first_lines.get(myid_path(member), "")
    return int(line) if line.isdecimal() and int(line) in SERVER_IDS else None


def server_ids(fleet: Fleet) -> dict[str, int]:
    """Host name to server ID (1 to 255).

    A host keeps the ID in its data directory; the others get the lowest that are free, by address.
    So neither the inventory's order nor a new server changes an ID that is in use.
    """
    ids = {m.name: recorded for m in fleet.registry_servers if (recorded := recorded_id(m))}
    free = (number for number in SERVER_IDS if number not in set(ids.values()))
    for member in fleet.registry_servers:
        if member.name not in ids:
            ids[member.name] = next(free)
    return ids


def is_founding(fleet: Fleet) -> bool:
    """Whether the ensemble is new: no server has ever run. Else one without data joins it."""
    return not any(
        history_path(member) in member.observed.paths
        or member.observed.container(server(member).container)
        for member in fleet.registry_servers
    )


def data_change(fleet: Fleet, member: Member) -> Change | None:
    """What a data directory without `myid` needs."""
    if recorded_id(member):
        return None
    verb = "found" if is_founding(fleet) else "join"
    action = f"{verb} the ensemble as server {server_ids(fleet)[member.name]}"
    gap = Gap(myid_path(member), str(server_ids(fleet)[member.name]), "absent")
    return Change(member.name, ROLE, action, f"{myid_path(member)} absent", gaps=(gap,))


def container(fleet: Fleet, member: Member) -> ContainerSpec:
    part = server(member)
    ids = server_ids(fleet)
    environment = {
        "ZOO_MY_ID": str(ids[member.name]),
        "ZOO_ADDRESS": str(member.address),
        "ZOO_CLIENT_PORT": str(part.port),
        "ZOO_HEAP_MB": str(part.heap_mb),
    }
    if len(ids) > 1:
        servers = sorted((ids[m.name], m.address) for m in fleet.registry_servers)
        environment["ZOO_SERVERS"] = ",".join(f"{number}={ip}" for number, ip in servers)
    return resolve(ROLE, part, image_of(member, ROLE), str(member.own_address), environment)


def check(fleet: Fleet) -> list[Problem]:
    connections = {member.wanted.registry.connection for member in fleet}
    members = fleet.running(ROLE)
    if len(connections) > 1:
        listed = ", ".join(sorted(map(str, connections)))
        text = f"must be the same for every host, found {listed}; set it in group_data/all.py"
        return [Problem(None, "registry.connection", text)]
    if any(connections) and members:
        named = ", ".join(member.name for member in members)
        text = f"a registry that exists already is given, but the group `registry` holds {named}; "
        return [Problem(None, "registry.connection", f"{text}empty the group, or remove the key")]
    if not any(connections) and not members and fleet.members and fleet.has_whole_registry:
        text = (
            "the group `registry` is empty and no registry that exists already is given; "
            "add hosts to the group, or set registry.connection = 'host:2181,...'"
        )
        return [Problem(None, "registry.connection", text)]
    return [problem for member in members for problem in _problems(fleet, member)]


def _problems(fleet: Fleet, member: Member) -> Iterator[Problem]:
    yield from container_problems(member.name, container(fleet, member), member.observed)
    yield from directory_problems(member, ROLE)
    own = recorded_id(member)
    wanted = container(fleet, member).environment.get("ZOO_SERVERS")
    running = member.observed.container(server(member).container)
    if fleet.has_whole_registry and running and running.environment.get("ZOO_SERVERS") != wanted:
        before = running.environment.get("ZOO_SERVERS", "this one alone")
        text = (
            f"the ensemble is {before}, and would become {wanted or 'this one alone'}; "
            "Dockyard can't change a running ensemble's members: put the group `registry` back"
        )
        yield Problem(member.name, "registry.server", text)
    line = member.observed.first_lines.get(myid_path(member))
    if line is not None and own is None:
        text = f"{myid_path(member)} holds '{line:.40}', expected a number from 1 to 255"
        yield Problem(member.name, "registry.server.data", f"{text}; find out whose data this is")
    twins = [m.name for m in fleet.registry_servers if m != member and recorded_id(m) == own]
    if own and twins:
        text = f"{myid_path(member)} holds {own}, and so does that of {', '.join(twins)}"
        yield Problem(member.name, "registry.server.data", f"{text}; each needs its own")


def plan(fleet: Fleet) -> list[Change]:
    founding = [data_change(fleet, m) for m in fleet.registry_servers if m.in_limit]
    return [change for change in founding if change] + part_changes(fleet, ROLE, container)
