from __future__ import annotations

from pyinfra.api import deploy

from roles.docker_engine.operations import engine_packages, engine_service

INSTALL_S = 900


@deploy("Docker engine")
def install_engine() -> None:
    """Have the engine installed, its service enabled and running, its API answering."""
    engine_packages(name="packages", _timeout=INSTALL_S)
    engine_service(name="service", _timeout=INSTALL_S)
