"""The engine of every host, as one operation: the conductor decides which host comes when."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import state
from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand

from roles.docker_engine.rollout import EngineRollout


@operation()
def engines(rollout: EngineRollout) -> Generator[PyinfraCommand, None, None]:
    """Bring every host's engine to what is wanted. To be called with `_run_once`."""
    yield from rollout.commands(state)
