"""How a run has left the hosts, as they are read once more at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyinfra import logger
from pyinfra.api import State

from roles.container.instance import is_beside
from roles.container.spec import PART_LABEL
from roles.observed import Observed, forget
from roles.run.current import observe_all, surveyed_fleet
from roles.run.fleet import Fleet, Member
from roles.run.report import counted


@dataclass(frozen=True)
class Standing:
    """One container of a part, or that there is none."""

    host: str
    role: str
    container: str = "no container"
    image: str = ""
    running: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        there = "running" if self.running else "stopped"
        return (self.host, self.role, self.container, self.image, there if self.image else "")


def tell(state: State, briefly: bool) -> None:
    """Tell what runs where; `briefly` how much of each part runs. Of hosts not in the limit, too.

    A host that can't be read is named, and why.
    """
    fleet = surveyed_fleet(state)
    hosts = {member.name: state.inventory.get_host(member.name) for member in fleet}
    for host in hosts.values():
        forget(host)
    found = observe_all(state, dict.fromkeys(hosts.values()))
    read: dict[str, Observed] = {}
    silent: dict[str, object] = {}
    for host, result in found.items():
        if isinstance(result, Observed) and not result.engine_silence:
            read[host.name] = result
        else:
            silent[host.name] = result.engine_silence if isinstance(result, Observed) else result
    standings = [s for member in fleet if member.name in read for s in of(member, read)]
    if standings:
        logger.info("--> What runs now:")
    for line in shares(fleet, standings) if briefly else lines(standings):
        logger.info(f"    {line}")
    for name, why in silent.items():
        logger.error(f"    {name}: what runs there is not known: {why}")
    for name in fleet.unreachable:
        logger.error(f"    {name}: what runs there is not known: it was not reached")


def of(member: Member, read: dict[str, Observed]) -> Iterator[Standing]:
    """What stands on a host of its parts, and what a replacement has left beside them."""
    containers = read[member.name].containers
    for role in member.parts:
        ours = [c for c in containers if c.labels.get(PART_LABEL) == role]
        for container in ours:
            yield Standing(member.name, role, container.name, container.image, container.running)
        if not ours:
            yield Standing(member.name, role)


def lines(standings: list[Standing]) -> Iterator[str]:
    """A line for each, in columns."""
    rows = [standing.cells for standing in standings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def shares(fleet: Fleet, standings: list[Standing]) -> Iterator[str]:
    """Of each part, on how many of its hosts it runs."""
    for role in dict.fromkeys(standing.role for standing in standings):
        own = (s for s in standings if s.role == role and not is_beside(s.container))
        up = {standing.host for standing in own if standing.running}
        yield f"{role}: {len(up)} of {counted(len(fleet.running(role)), 'host')}"
