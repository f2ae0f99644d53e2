from __future__ import annotations

import os
from pathlib import Path as File

import pytest
from pyinfra.api import Host, State

from roles.container import commands, exchange
from tests.unit.build import local_state
from tests.unit.container.fake_docker import Docker


@pytest.fixture
def docker(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """The `docker` that this machine has for the time of a test."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    update = commands._UPDATE.replace(commands.UPDATED, f"{tmp_path}/updated")
    monkeypatch.setattr(commands, "_UPDATE", update)
    monkeypatch.setattr(exchange, "LOCKS", str(tmp_path))
    return Docker(tmp_path)


@pytest.fixture
def state() -> State:
    return local_state("app-1", "registry-1")


@pytest.fixture
def host(state: State) -> Host:
    found: Host = state.inventory.get_host("app-1")
    return found
