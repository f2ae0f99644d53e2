"""What stands on a registry host before its container runs."""

from __future__ import annotations

from collections.abc import Generator
from io import StringIO

from pyinfra import host, state
from pyinfra.api import FunctionCommand, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.operations import files

from roles.registry.data import INITIALIZE, members_path, myid_path, path, server
from roles.registry.ensemble import is_founding
from roles.registry.membership import change_members
from roles.registry.plan import data_change, data_gaps, member_steps
from roles.run.current import current_fleet
from roles.run.report import done


@operation()
def data_directory() -> Generator[PyinfraCommand, None, None]:
    """Give a data directory its server ID and the members to begin with.

    Where the ensemble is new, also the mark that founds it.

    ZooKeeper starts on an empty directory only with that mark (`zookeeper.db.autocreate=false`):
    a server that lost its disk can't come up as a voter with an empty history.
    """
    fleet = current_fleet(state)
    member = fleet[host.name]
    if not member.in_limit or member not in fleet.registry_servers:
        return
    gaps, change = data_gaps(fleet, member), data_change(fleet, member)
    user, group = (server(member).user or "0:0").split(":")
    owner = {"user": user, "group": group, "mode": "640"}
    lacking = {gap.path: gap.wanted for gap in gaps}
    if myid_path(member) in lacking and is_founding(fleet):
        mark = path(member, INITIALIZE)
        yield from files.put._inner(src=StringIO(""), dest=mark, **owner)
    for place in (members_path(member), myid_path(member)):
        if place in lacking:
            line = StringIO(f"{lacking[place]}\n")
            yield from files.put._inner(src=line, dest=place, **owner)
    if change:
        done(state, change)


@operation()
def membership() -> Generator[PyinfraCommand, None, None]:
    """Have the ensemble's members be the hosts of the group. To be called with `_run_once`."""
    if member_steps(current_fleet(state)):
        yield FunctionCommand(change_members, (), {})
