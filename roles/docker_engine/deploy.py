from __future__ import annotations

from pyinfra.api import deploy

from roles.docker_engine.operations import engine_packages, engine_service


@deploy("Docker engine")
def install_engine() -> None:
    """Have the engine installed, its service enabled and running, its API answering."""
    engine_packages(name="packages")
    engine_service(name="service")
