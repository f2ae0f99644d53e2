from __future__ import annotations

from pyinfra.api import deploy

from roles.docker_engine.operations import engines
from roles.docker_engine.rollout import ROLLOUT


@deploy("Docker engine")
def install_engine() -> None:
    """Have the wanted engine installed, held, configured, enabled, running and answering."""
    engines(rollout=ROLLOUT, name="engines", _run_once=True)
