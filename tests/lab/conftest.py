"""What the tests on real hosts share: a fleet that is deployed once, and bare hosts beside it.

Only the first test that asks for the fleet pays for it. A test that changes it puts it back.
test_soa.py comes first, since it looks at what the very first run has left.

``pytest -n 2`` runs the fleet's tests in one process and the files APART in another, each with labs
of its own. Where the machine can't run a lab, a test that asks for one fails with
what is missing. Labs "test..." are left running, since the next session then starts at once:
``python -m tests.lab down --all`` removes them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.lab import Lab, LabHost, repository
from tests.lab.files import lock
from tests.lab.reading import disk, of_each
from tests.lab.repository import Repository
from tests.lab.running import Checkout, Run

INVENTORY = "inventories/lab.py"
LET_GO_S = 12
APART = frozenset(
    {
        "test_address",
        "test_bad_input",
        "test_bootstrap_access",
        "test_engine",
        "test_engine_refused",
        "test_fields",
        "test_host_setup",
        "test_lab",
        "test_local",
        "test_molecule",
        "test_packages",
        "test_schedule",
    }
)
"""The files whose tests want no fleet."""


@dataclass(frozen=True)
class Fleet:
    """The lab's hosts, deployed to; and what the runs said that led there."""

    lab: Lab
    checkout: Checkout
    inventory: str
    dry: Run
    unasked: Run
    """Without -y and without a terminal."""
    first: Run
    bare: dict[str, dict[str, str]] = field(repr=False)
    """The hosts' disks before the first run."""
    bare_still: dict[str, dict[str, str]] = field(repr=False)
    """The hosts' disks after `dry` and `unasked`."""

    @property
    def hosts(self) -> list[LabHost]:
        return self.lab.hosts

    @property
    def apps(self) -> list[LabHost]:
        """The hosts with an engine and a proxy."""
        return [host for host in self.hosts if "engine" in host.groups]

    @property
    def registry(self) -> LabHost:
        """The host with the registry and the caller."""
        return self.lab["registry-1"]

    @property
    def engines(self) -> set[str]:
        return {f"{host.address}:1080" for host in self.apps}

    @property
    def proxies(self) -> set[str]:
        return {f"{host.address}:2080" for host in self.apps}

    def deploy(self, *options: str) -> Run:
        """Deploy what the product says, as it was first deployed."""
        return self.checkout.run(self.inventory, "-y", *options)


class _TwoProcesses(LoadScopeScheduling):  # type: ignore[misc]
    """Gives pytest-xdist two parts of the tests, each for one process."""

    def _split_scope(self, nodeid: str) -> str:
        return "apart" if Path(nodeid.partition("::")[0]).stem in APART else "fleet"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _TwoProcesses(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "pyinfra" in sys.modules:
        # It has made greenlets of threads: one that waits for a terminal would stop all.
        pytest.exit("tests/lab needs a process without pyinfra: run `pytest tests/lab`", 3)
    items.sort(key=lambda item: "test_soa" not in item.nodeid)


@pytest.fixture(scope="session")
def lab_name() -> Iterator[str]:
    """What this session's labs are called: "test", or after DOCKYARD_LAB, and after its process.

    A second session on this machine waits for the first.
    """
    name = os.environ.get("DOCKYARD_LAB", "test")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        name = f"{name}-{worker}"
    with lock(Lab.root() / f".{name}.session"):
        yield name


@pytest.fixture(scope="session")
def lab(lab_name: str) -> Lab:
    """The lab in its usual shape; its hosts are as the last test left them."""
    lab = Lab(lab_name)
    lab.up()
    return lab


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the product as it is now, to run from; copy it again to edit it.

    Its proxies never send a request twice, so that whoever is dropped is counted; a deploy gives up
    soon where an engine is not let go.
    """
    made = Checkout.make(tmp_path_factory.mktemp("product"))
    made.edit("group_data/proxy.py", '"OSP_RETRIES": "2"', '"OSP_RETRIES": "0"')
    made.edit("group_data/engine.py", '"timeout_s": 60', f'"timeout_s": {LET_GO_S}')
    return made


@pytest.fixture(scope="session")
def fleet(lab: Lab, checkout: Checkout) -> Fleet:
    """Take the lab's hosts from bare to serving."""
    os.environ["DOCKYARD_LAB"] = lab.name
    lab.reset()
    bare = of_each(lab.hosts, disk)
    dry = checkout.run(INVENTORY, "--dry")
    unasked = checkout.run(INVENTORY, stdin="silent", timeout_s=60)
    bare_still = of_each(lab.hosts, disk)
    first = checkout.run(INVENTORY, "-y")
    return Fleet(lab, checkout, INVENTORY, dry, unasked, first, bare, bare_still)


@pytest.fixture(scope="module")
def steady(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet, for files whose tests leave it changed for each other: put back at their end."""
    yield fleet
    back = fleet.deploy()
    assert back.exit_code == 0, back.output


@pytest.fixture(scope="session")
def bare(lab_name: str) -> Iterator[Lab]:
    """Hosts of their own, bare, for tests that leave them so: two for parts, one for a registry."""
    beside = Lab(f"{lab_name}-bare")
    beside.up(hosts=2, registry=1)
    beside.reset()
    yield beside
    beside.down()


@pytest.fixture(scope="session")
def kinds(lab_name: str) -> Iterator[Lab]:
    """A lab for hosts of many kinds; each is added by the first test that wants it."""
    beside = Lab(f"{lab_name}-kinds")
    beside.down()
    beside.up(hosts=0, registry=0)
    yield beside
    beside.down()


@pytest.fixture(scope="session")
def served(kinds: Lab) -> Iterator[Repository]:
    """Docker's repositories as the lab builds them, served to the hosts of many kinds."""
    with repository.serve(kinds) as found:
        yield found


@pytest.fixture
def repo(served: Repository) -> Repository:
    """The repositories, well-behaved and not asked for anything yet."""
    served.heal()
    served.requests.clear()
    return served


@pytest.fixture
def own(checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the product that a test may edit."""
    return checkout.copy(tmp_path / "product")
