"""Hosts that somebody has sent away for a while: which they are; a run leaves them out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from pyinfra import logger
from pyinfra.api import State

from roles.container.instance import serving
from roles.observed import Drained
from roles.registry.data import server
from roles.registry.session import session
from roles.run import report
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem


def known_away(state: State, fleet: Fleet) -> dict[str, Drained]:
    """The drained hosts that can't tell it themselves, by the registry's marks.

    They can't be reached, or have forgotten everything, as one with a new disk has.
    """
    silent = [m for m in fleet if not m.drained and m.observed.releases.current_name is None]
    if not (fleet.unreachable or silent) or not has_registry(fleet):
        return {}
    via = state.inventory.get_host(fleet.members[0].name)
    try:
        with session(via, fleet.registry_connection) as registry:
            told = registry.hosts_away(time.time())
    except OSError:
        return {}
    found: dict[str, Drained] = {}
    for host, data in told.items():
        with suppress(KeyError, TypeError, ValueError):
            found[host] = Drained.of(data)
    return found


def has_registry(fleet: Fleet) -> bool:
    """Whether it is worth asking: before the first deploy there is none of our own."""
    servers = fleet.registry_servers
    runs = any(serving(m.observed, server(m).container) for m in servers)
    return bool(fleet.members) and (runs or not servers) and bool(fleet.registry_connection)


def marked(fleet: Fleet, absent: Mapping[str, Drained]) -> Fleet:
    """The fleet, with those marked as drained of which the registry alone knows it."""
    known = (replace(m, absent=m.absent or absent.get(m.name)) for m in fleet)
    return replace(fleet, members=tuple(known))


def left_out(fleet: Fleet) -> Fleet:
    """The fleet with its drained hosts out of the limit; of those that were in it, that is told."""
    for member in fleet:
        if member.drained and member.in_limit:
            warn_twice(f"{member.name} is left out: it is drained {member.drained}")
    limited = (replace(m, in_limit=m.in_limit and not m.drained) for m in fleet)
    return replace(fleet, members=tuple(limited))


def unconfirmed(members: Iterable[Member]) -> Iterator[Problem]:
    """Of hosts that are to be interrupted: where they are drained, it has to be by all."""
    for member in members:
        if member.drained and member.drained.is_leaving:
            yield Problem(
                member.name,
                "drain",
                "it may be called still: its drain was cut off before all proxies had let it go; "
                f"go on with it (dockyard drain {member.name}), or take it back (dockyard undrain "
                f"{member.name}), then run this again",
            )


def warn_twice(text: str) -> None:
    """Say it now, and again where the operator looks last."""
    logger.warning(text)
    report.warned_last(text)
