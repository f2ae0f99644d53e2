"""The leaving of hosts, as one operation: the conductor decides which comes when."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import state
from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand

from roles.retire import rollout


@operation()
def hosts() -> Generator[PyinfraCommand, None, None]:
    """Have the hosts leave that the survey has found to. To be called with `_run_once`."""
    yield from rollout.commands(state)
