"""Checks across the parts of one host, and across hosts: ports, directories, addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from roles.run.address import public_addresses
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.run.wanted import ROLE_OF_GROUP


def check(fleet: Fleet) -> list[Problem]:
    problems = [problem for member in fleet for problem in _shared(member)]
    return [*problems, *_paces(fleet), *_twins(fleet), *_taken(fleet)]


def _paces(fleet: Fleet) -> Iterator[Problem]:
    """A rollout goes over all hosts of a part: one of them alone can't say how."""
    for role in ROLE_OF_GROUP.values():
        if len({member.wanted.rollout for member in fleet.running(role)}) > 1:
            text = f"is not the same for every host that runs {role}"
            yield Problem(None, "rollout", f"{text}; say it in group_data/, not for a host")


def _shared(member: Member) -> Iterator[Problem]:
    """Two parts of one host that want the same port, directory or container name."""
    uses: dict[tuple[str, str], list[str]] = defaultdict(list)
    for role, part in member.parts.items():
        for port in part.host_ports:
            uses["port", str(port)].append(role)
        for mount in part.mounts:
            uses["host directory", mount.host].append(role)
        uses["container name", part.container].append(role)
    for (kind, value), roles in uses.items():
        if len(roles) > 1:
            text = f"the {kind} {value} is wanted by {' and '.join(roles)}; give each its own"
            yield Problem(member.name, roles[-1], text)


def _twins(fleet: Fleet) -> Iterator[Problem]:
    """Two names of one host, on which everything would be done twice; or one address of two."""
    by_address: dict[str, list[str]] = defaultdict(list)
    for member in fleet:
        by_address[str(member.address)].append(member.name)
    for address, names in by_address.items():
        if len(names) > 1:
            text = f"{' and '.join(names)} have one address, {address}; list each host once, and "
            text += "have each export an address of its own"
            yield Problem(names[-1], "export_ip", text)


def _taken(fleet: Fleet) -> Iterator[Problem]:
    """A host that exports what is another's: calls would go to that one."""
    owners = {
        address.ip: (other, address.interface)
        for other in fleet
        for address in public_addresses(other.observed)
        if address.ip != other.address
    }
    for member in fleet:
        owner, interface = owners.get(member.address, (member, ""))
        if owner is not member:
            text = (
                f"{member.address} is an address of {owner.name}, on {interface}; "
                "export one that this host alone has"
            )
            yield Problem(member.name, "export_ip", text)
