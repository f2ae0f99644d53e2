"""What every part needs on its hosts before its container can run."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host, state
from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.operations import files

from roles.container.plan import directory_changes
from roles.container.rollout import Rollout
from roles.run.current import current_fleet
from roles.run.report import done


@operation()
def directories(role: str) -> Generator[PyinfraCommand, None, None]:
    """Make the part's directories on the hosts that run it, with its owner and mode."""
    fleet = current_fleet(state)
    member = fleet[host.name]
    part = member.part(role)
    if part is None or not member.in_limit:
        return
    for directory, change in directory_changes(host.name, role, part, member.observed):
        user, group = directory.owner.split(":")
        yield from files.directory._inner(
            path=directory.path, user=user, group=group, mode=directory.mode
        )
        done(state, change)


@operation()
def containers(rollout: Rollout) -> Generator[PyinfraCommand, None, None]:
    """Bring a part's containers to what is wanted. To be called with `_run_once`."""
    yield from rollout.commands(state)
