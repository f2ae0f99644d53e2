"""pytest fixtures: a lab for the whole session, and bare hosts for a single test.

Where the machine can't run a lab, a test that asks for one fails with what is missing. The lab is
left running, since the next session then starts at once: ``python -m tests.lab --name test down``
removes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab import Lab, LabHost
from tests.lab.files import lock


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab in its usual shape; its hosts are as the last test left them.

    Named "test", or after DOCKYARD_LAB. A second session on this machine waits for the first.
    """
    lab = Lab(os.environ.get("DOCKYARD_LAB", "test"))
    with lock(Lab.root() / f".{lab.name}.session"):
        lab.up()
        yield lab


@pytest.fixture
def bare_lab(lab: Lab) -> Lab:
    """The lab with every host bare: no Docker, nothing that another test left."""
    lab.reset()
    return lab


@pytest.fixture
def bare_host(lab: Lab) -> LabHost:
    """One bare host."""
    lab.reset("app-1")
    return lab["app-1"]


@pytest.fixture
def docker_host(lab: Lab) -> LabHost:
    """One host that has Debian's Docker engine, and nothing else."""
    lab.reset("app-1", with_docker=True)
    return lab["app-1"]
