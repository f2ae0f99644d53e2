"""pytest fixture: a lab for the whole session.

Where the machine can't run a lab, a test that asks for one fails with what is missing. The lab is
left running, since the next session then starts at once: ``python -m tests.lab --name test down``
removes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab import Lab
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
