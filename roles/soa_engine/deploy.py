from __future__ import annotations

from pyinfra.api import deploy

from roles.container.operations import containers, directories
from roles.soa_engine.plan import ROLE
from roles.soa_engine.rollout import ROLLOUT


@deploy("SOA engine")
def run_engine() -> None:
    """Have an engine on every host of its group, registered under the host's real address."""
    directories(role=ROLE, name="directories", _timeout=60)
    containers(rollout=ROLLOUT, name="containers", _run_once=True)
