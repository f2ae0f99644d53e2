from __future__ import annotations

from pyinfra.api import deploy

from roles.docker_engine.operations import engines
from roles.docker_engine.rollout import ROLLOUT, SERVICE


@deploy("Docker engine")
def install_engine() -> None:
    """Have the wanted engine installed, held, configured, enabled, running and answering."""
    engines(rollout=ROLLOUT, name="engines", _run_once=True)


@deploy("Docker service")
def operate_service() -> None:
    """Start, stop or restart the engines' service, host by host, as `action` says."""
    engines(rollout=SERVICE, name="service", _run_once=True)
