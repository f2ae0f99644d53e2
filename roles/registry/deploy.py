from __future__ import annotations

from pyinfra.api import deploy

from roles.container.operations import containers, directories
from roles.registry.operations import data_directory
from roles.registry.plan import ROLE
from roles.registry.rollout import ROLLOUT


@deploy("Registry")
def run_registry() -> None:
    """Have our own ensemble serve with one leader; nothing where the registry is external."""
    directories(role=ROLE, name="directories", _timeout=60)
    data_directory(name="data directory", _timeout=60)
    containers(rollout=ROLLOUT, name="containers", _run_once=True)
