"""What stands on a registry host before its container runs."""

from __future__ import annotations

from collections.abc import Generator
from io import StringIO

from pyinfra import host, state
from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.operations import files

from roles.registry.plan import (
    INITIALIZE,
    data_change,
    is_founding,
    myid_path,
    server,
    server_ids,
)
from roles.run.current import current_fleet
from roles.run.report import done


@operation()
def data_directory() -> Generator[PyinfraCommand, None, None]:
    """Give a data directory its server ID and, where the ensemble is new, the mark that founds it.

    ZooKeeper starts on an empty directory only with that mark (`zookeeper.db.autocreate=false`):
    a server that lost its disk can't come up as a voter with an empty history.
    """
    fleet = current_fleet(state)
    member = fleet[host.name]
    is_treated = member.in_limit and member in fleet.registry_servers
    change = data_change(fleet, member) if is_treated else None
    if change is None:
        return
    user, group = (server(member).user or "0:0").split(":")
    owner = {"user": user, "group": group, "mode": "640"}
    if is_founding(fleet):
        mark = f"{server(member).data.host}/{INITIALIZE}"
        yield from files.put._inner(src=StringIO(""), dest=mark, **owner)
    number = StringIO(f"{server_ids(fleet)[member.name]}\n")
    yield from files.put._inner(src=number, dest=myid_path(member), **owner)
    done(state, change)
