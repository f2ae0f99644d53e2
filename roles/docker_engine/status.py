"""What every host's engine is, and whether it answers: told on the terminal, nothing changed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from pyinfra.api import Host, State
from rich.console import Console
from rich.table import Table
from rich.text import Text

from roles.container.instance import is_beside
from roles.container.spec import PART_LABEL
from roles.docker_engine.packages import installed_engine
from roles.host_check.finding import printable
from roles.observed import Observed
from roles.run.connecting import unreached
from roles.run.current import observe_all
from roles.run.merge import merged_data
from roles.run.reading import connect, explained, look
from roles.run.reports import told_once
from roles.run.wanted import validated

HEADINGS = ("Host", "Engine", "Service", "Answers", "Containers")
WIDTH = 120
"""Of the table, where there is no terminal to ask."""


@dataclass(frozen=True)
class EngineStatus:
    """One host's line. `is_well`: the engine answers, will after a boot, and runs all of ours."""

    host: str
    engine: str
    service: str
    answers: str
    containers: str
    is_well: bool

    @classmethod
    def of(cls, host: str, observed: Observed) -> EngineStatus:
        package = installed_engine(observed)
        service = observed.docker_service
        words = (
            "enabled" if service.enabled else "disabled",
            "running" if service.active else "stopped",
        )
        running = sum(container.running for container in observed.containers)
        is_up = observed.docker_version is not None
        ours = [c for c in observed.containers if PART_LABEL in c.labels and not is_beside(c.name)]
        down = [c for c in ours if not c.running]
        return cls(
            host,
            f"{package} {observed.packages[package]}" if package else "none",
            ", ".join(words),
            observed.docker_version or observed.docker_error or "no",
            f"{running} of {len(observed.containers)} running" if is_up else "not known",
            is_up and service.enabled and not down,
        )

    @classmethod
    def unread(cls, host: str, why: str) -> EngineStatus:
        return cls(host, "not known", "not known", why, "not known", False)


def tell_status() -> None:
    """Where `action` is `status`: tell of every host of the limit, and end the run.

    Raises:
        SystemExit: 1 where a host can't be read, its engine is disabled or does not answer, or a
            container of ours is down; else 0.
    """
    with told_once() as state:
        if state is None:
            return
        hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
        if not any(merged_data(host).get("action") == "status" for host in hosts):
            return
        found = read(state, hosts)
        Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False).print(table(found))
        sys.exit(0 if all(status.is_well for status in found) else 1)


def read(state: State, hosts: list[Host]) -> list[EngineStatus]:
    connected, unreachable = connect(state, hosts)
    looks = {host: look(validated(host)[0]) for host in connected}
    results = observe_all(state, looks)
    found = []
    for host in hosts:
        result = results.get(host)
        if isinstance(result, Observed):
            found.append(EngineStatus.of(host.name, result))
        else:
            why = explained(str(result)) if result else unreached(host.name, unreachable[host])
            found.append(EngineStatus.unread(host.name, why))
    return found


def table(found: list[EngineStatus]) -> Table:
    told = Table(*HEADINGS)
    for status in found:
        cells = (status.host, status.engine, status.service, status.answers, status.containers)
        style = "" if status.is_well else "bold red"
        told.add_row(*(Text(printable(cell), style=style) for cell in cells))
    return told
