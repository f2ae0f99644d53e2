from __future__ import annotations

from pyinfra.api import deploy

from roles.container.operations import containers, directories
from roles.sdk.plan import ROLE
from roles.sdk.rollout import ROLLOUT


@deploy("SDK")
def run_sdk() -> None:
    """Have a container on every host of its group that can be asked to call."""
    directories(role=ROLE, name="directories", _timeout=60)
    containers(rollout=ROLLOUT, name="containers", _run_once=True)
