from __future__ import annotations

from pyinfra.api import deploy

from roles.container.operations import containers, directories
from roles.proxy.plan import ROLE
from roles.proxy.rollout import ROLLOUT


@deploy("Proxy")
def run_proxy() -> None:
    """Have a proxy on every host of its group that lists every engine as up."""
    directories(role=ROLE, name="directories", _timeout=60)
    containers(rollout=ROLLOUT, name="containers", _run_once=True)
