"""Which releases there are: told on the terminal, nothing changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from roles.host_check.finding import printable
from roles.observed import Observed, Release, Releases
from roles.run.connecting import unreached
from roles.run.current import observe_all
from roles.run.merge import merged_data
from roles.run.reading import connect, explained, look
from roles.run.reports import told_once
from roles.run.wanted import LIST, ROLE_OF_GROUP

HEADINGS = ("Release", "By", "Hosts", "Current on", "Rolled back on")
WIDTH = 120
"""Of the table, where there is no terminal to ask."""


def tell_releases() -> None:
    """Where `release` is `list`: tell of the releases on the hosts of the limit, and end the run.

    Raises:
        SystemExit: 1 where a host can't be read, else 0.
    """
    with told_once() as state:
        if state is None:
            return
        hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
        if not any(merged_data(host).get("release") == LIST for host in hosts):
            return
        asked = [host for host in hosts if any(group in ROLE_OF_GROUP for group in host.groups)]
        connected, unreachable = connect(state, asked)
        results = observe_all(state, dict.fromkeys(connected, look(None)))
        found = {h.name: r.releases for h, r in results.items() if isinstance(r, Observed)}
        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
        console.print(table(found) if any(r.kept for r in found.values()) else "No release yet")
        unread = {h.name: unreached(h.name, why) for h, why in unreachable.items()}
        unread |= {
            h.name: explained(str(r)) for h, r in results.items() if not isinstance(r, Observed)
        }
        for name, why in unread.items():
            console.print(Text(printable(f"{name}: {why}"), style="bold red"))
        sys.exit(1 if unread else 0)


def table(found: Mapping[str, Releases]) -> Table:
    """One line for each release, newest first; `found` are the hosts' by name."""
    told = Table(*HEADINGS)
    for release in newest_first(found):
        on = [host for host, its in found.items() if release.name in its.kept]
        current = [host for host, its in found.items() if its.current_name == release.name]
        pinned = [h for h, its in found.items() if release.name in {p.release for p in its.pins}]
        named = [_named(hosts, len(found)) for hosts in (on, current, pinned)]
        told.add_row(*(Text(printable(cell)) for cell in (release.name, release.by, *named)))
    return told


def newest_first(found: Mapping[str, Releases]) -> list[Release]:
    by_name = {name: release for its in found.values() for name, release in its.kept.items()}
    return [by_name[name] for name in sorted(by_name, reverse=True)]


def _named(hosts: list[str], of: int) -> str:
    return "all" if len(hosts) == of else ", ".join(hosts)
