"""Hosts that join or leave: other registry servers concern all that are told of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from roles.container.plan import ContainerChange
from roles.registry.plan import is_told_otherwise, member_changes
from roles.run.address import REGISTRY_VARIABLE
from roles.run.changes import Change
from roles.run.fleet import Fleet
from roles.run.problems import Problem


def widened(fleet: Fleet) -> tuple[Fleet, frozenset[str]]:
    """The fleet with all in its limit that a registry server in the limit concerns.

    Those are the hosts whose containers were told other addresses of the registry; their names come
    second. One that is drained is left out here, too: it learns of them when it is back.
    """
    if not any(member.in_limit and "registry" in member.groups for member in fleet):
        return fleet, frozenset()
    told = frozenset(
        member.name
        for member in fleet
        if not member.in_limit and not member.drained and is_told_otherwise(fleet, member)
    )
    treated = (replace(m, in_limit=m.in_limit or m.name in told) for m in fleet)
    return replace(fleet, members=tuple(treated)), told


def beyond(fleet: Fleet, told: Collection[str], changes: Iterable[Change]) -> list[Problem]:
    """What else would change on hosts that are in the limit for the registry's addresses alone."""
    allowed = member_changes(fleet)
    return [
        Problem(
            change.host,
            change.role,
            f"is to be told the registry's new addresses alone, and more differs: {change.action}: "
            f"{change.why}; deploy that first: deploy/soa.py --limit {change.host}, with the group "
            "`registry` as it was",
        )
        for change in changes
        if change.host in told and change not in allowed and not _tells_addresses(change)
    ]


def _tells_addresses(change: Change) -> bool:
    return isinstance(change, ContainerChange) and all(
        (each.field, each.name) == ("environment", REGISTRY_VARIABLE) for each in change.differences
    )
