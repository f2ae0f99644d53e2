from __future__ import annotations

from pyinfra.api import deploy

from roles.container.operations import containers, directories
from roles.registry.operations import data_directory, membership
from roles.registry.plan import ROLE
from roles.registry.rollout import JOINING, ROLLOUT


@deploy("Registry")
def run_registry() -> None:
    """Have our own ensemble serve with one leader; nothing where the registry is external."""
    directories(role=ROLE, name="directories", _timeout=60)
    data_directory(name="data directory", _timeout=60)
    containers(rollout=ROLLOUT, name="containers", _run_once=True)
    containers(rollout=JOINING, name="containers that join", _run_once=True)
    membership(name="members", _run_once=True)
