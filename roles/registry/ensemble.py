"""Who the members of our own ensemble are, as its servers know it, and who they are to be. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from roles.container.instance import current, serving
from roles.container.spec import PART_LABEL
from roles.observed import Newest
from roles.registry.data import (
    SERVER_IDS,
    agreed,
    history_path,
    members_path,
    recorded_id,
    server,
)
from roles.run.address import is_address
from roles.run.fleet import Fleet, Member

_AGREED = re.compile(r"server\.(\d+)=(\[[^]]+\]|[^:]+):\d+:\d+")
NOTHING_AGREED = "0"

Members = Mapping[int, str]
"""Server ID to address."""


@dataclass(frozen=True)
class Ensemble:
    """An ensemble that has run."""

    version: str
    """Of what was agreed on, in hexadecimal; `0` where nothing is known to be yet."""
    members: Members

    def __str__(self) -> str:
        return listed(self.members)


def listed(members: Members) -> str:
    """`1=ADDRESS,2=ADDRESS,...`, by ID."""
    return ",".join(f"{number}={members[number]}" for number in sorted(members))


def read_members(text: str) -> dict[int, str]:
    """The same, read. What is no member is passed over."""
    pairs = (each.partition("=") for each in text.split(","))
    return {int(n): plain(address) for n, _, address in pairs if n.isdecimal() and address}


def read_agreed(lines: Iterable[str]) -> dict[int, str]:
    """Read ZooKeeper's `server.1=ADDRESS:2888:3888:participant`; other lines are passed over."""
    found = (_AGREED.match(line) for line in lines)
    return {int(each[1]): plain(each[2]) for each in found if each}


def plain(address: str) -> str:
    """An address in its one short form, as Java does not write those of IPv6; a name as it is."""
    bare = address.strip("[]")
    return str(ip_address(bare)) if is_address(bare) else address


def ensemble(fleet: Fleet) -> Ensemble | None:
    """The ensemble as its servers know it; None where none of them has ever run.

    The newest of what was agreed on counts, that of servers which run before that of others: a disk
    may come from another ensemble.
    """
    servers = fleet.registry_servers
    running = [m for m in servers if serving(m.observed, server(m).container)]
    for asked in (running, servers):
        found = [its for member in asked if (its := agreed(member))]
        if found:
            newest = max(found, key=lambda its: int(its.version, 16))
            return Ensemble(newest.version, read_agreed(newest.lines))
    for member in [*running, *servers]:
        if known := _begun_with(member):
            return known
    return None


def _begun_with(member: Member) -> Ensemble | None:
    """The members that a server was given to begin with; one that was given none was alone."""
    found = current(member.observed, server(member).container)
    if found is None:
        return None
    told = found.environment.get("ZOO_SERVERS")
    if told == IN_DATA:
        version, _, members = member.observed.first_lines.get(members_path(member), "").partition(
            " "
        )
        known = read_members(members)
        return Ensemble(version, known) if known else None
    own = found.environment.get("ZOO_MY_ID", str(recorded_id(member) or 1))
    address = found.environment.get("ZOO_ADDRESS", str(member.address))
    fixed = read_members(told or f"{own}={address}")
    return Ensemble(NOTHING_AGREED, fixed) if fixed else None


IN_DATA = "data"
"""What `ZOO_SERVERS` says: the members stand in the data directory. An image that does not know
this refuses to start, and does not take itself for a registry of its own."""


def has_fixed_members(member: Member) -> bool:
    """Whether a server's members stand in its variable, as images before ours have them.

    It serves, and takes no other members in until its container is replaced.
    """
    if member.wanted.registry.server is None:
        return False
    found = current(member.observed, server(member).container)
    if found is None or found.labels.get(PART_LABEL) != "registry":
        return False
    return found.environment.get("ZOO_SERVERS") != IN_DATA


def is_founding(fleet: Fleet) -> bool:
    """Whether the ensemble is new: no server has ever run. Else one without data joins it."""
    return not any(
        history_path(member) in member.observed.paths
        or member.observed.container(server(member).container)
        for member in fleet.registry_servers
    )


def server_ids(fleet: Fleet) -> dict[str, int]:
    """Host name to server ID (1 to 255).

    A host keeps the ID in its data directory, or that of its address in the ensemble; the others
    get the lowest that are free, by address. So neither the inventory's order nor a new server
    changes an ID that is in use.
    """
    servers, has_run = fleet.registry_servers, ensemble(fleet)
    members = has_run.members if has_run else {}
    by_address = {address: number for number, address in members.items()}
    ids = {m.name: recorded for m in servers if (recorded := recorded_id(m))}
    for member in servers:
        number = by_address.get(str(member.address))
        if number and member.name not in ids and number not in ids.values():
            ids[member.name] = number
    free = (number for number in SERVER_IDS if number not in {*ids.values(), *members})
    for member in servers:
        if member.name not in ids:
            ids[member.name] = next(free)
    return ids


def wanted_members(fleet: Fleet) -> dict[int, str]:
    """The hosts of the group `registry`."""
    ids = server_ids(fleet)
    return {ids[member.name]: str(member.address) for member in fleet.registry_servers}


def is_member(fleet: Fleet, member: Member) -> bool:
    """Whether a server is one of the ensemble's; all are, of one that is founded."""
    has_run = ensemble(fleet)
    if has_run is None or has_moved(fleet):
        return True
    return has_run.members.get(server_ids(fleet)[member.name]) == str(member.address)


def members(fleet: Fleet) -> list[Member]:
    """The servers whose votes the ensemble counts."""
    return [member for member in fleet.registry_servers if is_member(fleet, member)]


def joining(fleet: Fleet) -> list[Member]:
    """The servers that are to become members, by address.

    None while not every host of the group was read: who is missing is not known then.
    """
    if not fleet.has_whole_registry:
        return []
    return [member for member in fleet.registry_servers if not is_member(fleet, member)]


def leaving(fleet: Fleet) -> dict[int, str]:
    """The members that are to leave: no host of the group has their ID."""
    has_run = ensemble(fleet)
    if has_run is None or not fleet.has_whole_registry:
        return {}
    stay = server_ids(fleet).values()
    return {number: each for number, each in has_run.members.items() if number not in stay}


def has_moved(fleet: Fleet) -> bool:
    """Whether the only member is to be reached at another address: it needs nobody's consent."""
    has_run, servers = ensemble(fleet), fleet.registry_servers
    if has_run is None or len(has_run.members) != 1 or len(servers) != 1:
        return False
    [(number, address)] = has_run.members.items()
    return recorded_id(servers[0]) == number and address != str(servers[0].address)


def given_members(fleet: Fleet, member: Member) -> str | None:
    """What `members` is to say on a host; None where the server knows itself to be one of them.

    Who joins gets the ensemble's members and itself: it can't make a quorum without the others.
    """
    has_run, number = ensemble(fleet), server_ids(fleet)[member.name]
    own = {number: str(member.address)}
    if has_run is None:
        return f"{NOTHING_AGREED} {listed(wanted_members(fleet))}"
    if has_moved(fleet):
        return f"{has_run.version} {listed(own)}"
    known = agreed(member)
    if known and _knows(known, own):
        return None
    return f"{has_run.version} {listed({**has_run.members, **own})}"


def _knows(known: Newest, own: Members) -> bool:
    its = read_agreed(known.lines)
    return all(its.get(number) == address for number, address in own.items())
