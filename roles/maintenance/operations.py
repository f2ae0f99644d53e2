"""What is done to whole hosts, as one operation: the conductor decides which host comes when."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import state
from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand

from roles.maintenance.rollout import HostRollout


@operation()
def hosts(rollout: HostRollout) -> Generator[PyinfraCommand, None, None]:
    """Drain, undrain or reboot what the survey has found. To be called with `_run_once`."""
    yield from rollout.commands(state)
