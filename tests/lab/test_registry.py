"""An ensemble of three, deployed by a user with sudo; then the same as a registry of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tests.lab import Lab, LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import (
    ENGINES,
    answering,
    commands_sent,
    containers,
    disk,
    four_letters,
    of_each,
    registered,
    wait_until,
)
from tests.lab.running import Checkout, Listed, Run

pytestmark = pytest.mark.full

SUDO = {"_sudo": True}


@dataclass(frozen=True)
class Ensemble:
    lab: Lab
    checkout: Checkout
    owners: list[Listed]
    """Hosts that run nothing of this, and have the images."""
    first: Run

    @property
    def servers(self) -> list[LabHost]:
        return [host for host in self.lab.hosts if "registry" in host.groups]

    @property
    def app(self) -> LabHost:
        return self.lab["app-1"]

    def deploy(self, hosts: list[LabHost | Listed], **data: object) -> Run:
        base = self.lab.base_image("bookworm")
        inventory = self.checkout.inventory(
            [*hosts, *self.owners], {**SUDO, **data}, user="deployer", base_image=base
        )
        return self.checkout.run(inventory, "-y")


@pytest.fixture(scope="module")
def ensemble(fleet: Fleet) -> Iterator[Ensemble]:
    beside = Lab(f"{fleet.lab.name}-ensemble")
    beside.up(hosts=1, registry=3, with_docker=True)
    owners = [Listed(fleet.apps[0], name="fleet-app-1", groups=())]
    deployed = Ensemble(beside, fleet.checkout, owners, Run(0, "", 0))
    yield replace(deployed, first=deployed.deploy(list(beside.hosts)))
    beside.down()


def test_three_servers_have_one_leader_and_an_id_each(ensemble: Ensemble) -> None:
    assert ensemble.first.exit_code == 0, ensemble.first.output
    modes = Counter(four_letters(host, "srvr")["Mode"] for host in ensemble.servers)
    assert modes == {"leader": 1, "follower": 2}
    ids = [host.run("cat /apps/data/zookeeper/myid").stdout.strip() for host in ensemble.servers]
    assert sorted(ids) == ["1", "2", "3"]
    assert registered(*ensemble.servers)[ENGINES] == {f"{ensemble.app.address}:1080"}


def test_an_inventory_in_another_order_changes_nothing(ensemble: Ensemble) -> None:
    before = of_each(ensemble.lab.hosts, disk), of_each(ensemble.lab.hosts, containers)
    sent = of_each(ensemble.lab.hosts, commands_sent)
    again = ensemble.deploy(list(reversed(ensemble.lab.hosts)))
    assert again.exit_code == 0, again.output
    assert again.done == again.planned == []
    assert of_each(ensemble.lab.hosts, commands_sent) == {h: n + 2 for h, n in sent.items()}
    assert (of_each(ensemble.lab.hosts, disk), of_each(ensemble.lab.hosts, containers)) == before


def test_a_registry_of_others_is_given_by_its_addresses(ensemble: Ensemble) -> None:
    before = of_each(ensemble.servers, containers)
    connection = ",".join(f"{host.address}:2181" for host in reversed(ensemble.servers))
    app = Listed(ensemble.app, groups=["engine", "proxy", "sdk"])
    run = ensemble.deploy([app], registry={"connection": connection})
    assert run.exit_code == 0, run.output
    found = containers(ensemble.app)
    assert {
        container.environment["VIP_CFGCENTER_ZK_CONNECTION"] for container in found.values()
    } == {connection}
    engine = f"{ensemble.app.address}:1080"
    assert registered(*ensemble.servers)[ENGINES] == {engine}
    wait_until(lambda: set(answering(ensemble.app)) == {engine}, "the proxy serves")
    calls = ensemble.app.run("docker exec osp-sdk osp-sdk call sayhello name=x --count 3").stdout
    assert calls.count(f'"engine": "{engine}"') == 3
    assert of_each(ensemble.servers, containers) == before
