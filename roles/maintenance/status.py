"""Who runs what, and since when: told on the terminal, nothing changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pyinfra.api import Host, State
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roles.container.instance import current, is_beside
from roles.container.spec import PART_LABEL
from roles.host_check.finding import printable
from roles.observed import Container, Observed
from roles.run.connecting import unreached
from roles.run.current import observe_all
from roles.run.reading import connect, explained, look
from roles.run.reports import told_once
from roles.run.wanted import ROLE_OF_GROUP, Wanted, validated

HEADINGS = ("Host", "Release", "Part", "Container", "Image", "State", "Since (UTC)")
WIDTH = 160
"""Of the table, where there is no terminal to ask."""
_NEVER = "0001-"
"""How Docker's times begin of what has not been yet."""


@dataclass(frozen=True)
class Line:
    """One container of a host, or what there is to say of the host itself."""

    host: str
    part: str = ""
    container: str = ""
    image: str = ""
    state: str = ""
    since: str = ""
    is_well: bool = True
    told: str = ""
    """What does not fit the table; it is said below."""
    release: str = ""
    """The one that the host runs, at its first line."""


def tell_status() -> None:
    """Tell of every host of the limit what runs there, and end the run.

    Raises:
        SystemExit: 1 where a host can't be read, or a part does not run; else 0.
    """
    with told_once() as state:
        if state is None:
            return
        hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
        lines = read(state, hosts)
        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
        console.print(table(lines))
        for line in lines:
            if line.told:
                console.print(Text(f"{line.host} {printable(line.told)}"), soft_wrap=True)
        sys.exit(0 if all(line.is_well for line in lines) else 1)


def read(state: State, hosts: list[Host]) -> list[Line]:
    connected, unreachable = connect(state, hosts)
    wanted = {host: validated(host) for host in hosts}
    results = observe_all(state, {host: look(wanted[host][0]) for host in connected})
    lines: list[Line] = []
    for host in hosts:
        result, (found, problems) = results.get(host), wanted[host]
        if not isinstance(result, Observed):
            why = explained(str(result)) if result else unreached(host.name, unreachable[host])
            lines.append(Line(host.name, state="not read", told=why, is_well=False))
        elif found is None:
            lines += [Line(host.name, state=str(problem), is_well=False) for problem in problems]
        else:
            first, *rest = lines_of(host.name, host.groups, found, result)
            lines += [replace(first, release=result.releases.current_name or ""), *rest]
    return lines


def lines_of(
    name: str, groups: Sequence[str], wanted: Wanted, observed: Observed
) -> Iterator[Line]:
    """What there is to say of a host that was read."""
    if observed.drained:
        yield Line(name, state="drained", told=f"is drained {observed.drained}")
    elif not any(group in ROLE_OF_GROUP for group in groups):
        yield Line(name, state="runs no part")
    parts = {group: wanted.part(role) for group, role in ROLE_OF_GROUP.items() if group in groups}
    if parts and observed.engine_silence:
        told = f"does not tell what runs there: {observed.engine_silence}"
        yield Line(name, state="not known", told=told, is_well=False)
        return
    for group, part in parts.items():
        if part:
            found = current(observed, part.container)
            yield _line(name, group, found) if found else _missing(name, group, part.container)
    for container in observed.containers:
        if PART_LABEL in container.labels and is_beside(container.name):
            yield _line(name, "kept", container, is_part=False)


def _line(name: str, part: str, found: Container, is_part: bool = True) -> Line:
    state = (found.inspect or {}).get("State") or {}
    word = str(state.get("Status", "running" if found.running else "stopped"))
    at = state.get("StartedAt" if found.running else "FinishedAt", "")
    since = "" if str(at).startswith(_NEVER) else str(at)[:19].replace("T", " ")
    is_well = (found.running and not found.is_paused) or not is_part
    return Line(name, part, found.name, found.image, word, since, is_well)


def _missing(name: str, part: str, container: str) -> Line:
    return Line(name, part, container, state="is not there", is_well=False)


def table(lines: Sequence[Line]) -> Table:
    """A line a container; a host's name stands at its first."""
    told = Table(*HEADINGS)
    before = ""
    for line in lines:
        name = "" if line.host == before else line.host
        before = line.host
        cells = (
            *(name, line.release, line.part, line.container),
            *(line.image, line.state, line.since),
        )
        style = "" if line.is_well else "bold red"
        told.add_row(*(Text(printable(cell), style=style) for cell in cells))
    return told
