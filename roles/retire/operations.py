"""The leaving of hosts, as operations: the conductor decides which comes when."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import state
from pyinfra.api import FunctionCommand, operation
from pyinfra.api.command import PyinfraCommand

from roles.retire import rollout
from roles.retire.listing import strike
from roles.retire.plan import leaving
from roles.run.current import current_fleet


@operation()
def hosts() -> Generator[PyinfraCommand, None, None]:
    """Have the hosts leave that the survey has found to. To be called with `_run_once`."""
    yield from rollout.commands(state)


@operation()
def host_list() -> Generator[PyinfraCommand, None, None]:
    """Take who has left out of the list of hosts. To be called with `_run_once`."""
    members = leaving(current_fleet(state))
    names = tuple(member.name for member in members)
    given = next((member.wanted.host_list for member in members), None)
    if names:
        yield FunctionCommand(strike, (names, given), {})
