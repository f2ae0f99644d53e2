"""The engine of every host of a serving fleet is upgraded with one command, and nobody notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab import Lab, LabHost, repository
from tests.lab.conftest import Fleet
from tests.lab.reading import containers, four_letters, of_each
from tests.lab.repository import Repository
from tests.lab.running import Checkout, Listed, Run
from tests.lab.test_engine import NEW, OLD, version
from tests.lab.traffic import traffic

LOAD_S = 600
LOOK_S = 0.1


@dataclass(frozen=True)
class Serving:
    """Two hosts for engine and proxy, and an ensemble of three; a host of another lab calls."""

    lab: Lab
    caller: LabHost
    checkout: Checkout
    repo: Repository
    owners: list[Listed]

    @property
    def servers(self) -> list[LabHost]:
        return [host for host in self.lab.hosts if "registry" in host.groups]

    def run(self, deploy: str, wanted: str, *options: str, **changes: Any) -> Run:
        vendor = {"repo_url": self.repo.url, "fingerprint": self.repo.fingerprint}
        engine = {"source": "vendor", "vendor": vendor, "version": wanted, **changes}
        data = {"docker_engine": engine, "proxy": {"environment": {"OSP_RETRIES": "0"}}}
        hosts: list[LabHost | Listed] = [*self.lab.hosts, *self.owners]
        inventory = self.checkout.inventory(hosts, data, base_image=self.lab.base_image())
        limit = [word for host in self.lab.hosts for word in ("--limit", host.name)]
        return self.checkout.run(inventory, "-y", *limit, *options, deploy=deploy)


@pytest.fixture(scope="module")
def serving(fleet: Fleet) -> Iterator[Serving]:
    """One of the fleet's own hosts has the images, and is left as it is."""
    beside = Lab(f"{fleet.lab.name}-upgrade")
    beside.up(hosts=2, registry=3, release="trixie")
    owners = [
        Listed(
            host,
            {"docker_engine": {"source": "present", "version": None}},
            f"fleet-{host.name}",
            (),
        )
        for host in fleet.apps[:1]
    ]
    with repository.serve(beside) as repo:
        found = Serving(beside, fleet.registry, fleet.checkout, repo, owners)
        run = found.run("deploy/soa.py", OLD)
        assert run.exit_code == 0, run.output
        yield found
    beside.down()


@dataclass
class Quorum:
    """How many servers of an ensemble were up, each time that somebody looked."""

    seen: list[int] = field(default_factory=list)


@contextmanager
def watched(servers: Sequence[LabHost]) -> Iterator[Quorum]:
    """Look all the time how many servers are up. When the leader goes, the others elect one."""
    quorum = Quorum()
    ended = threading.Event()

    def is_up(host: LabHost) -> bool:
        try:
            four_letters(host, "srvr")
        except OSError:
            return False
        return True

    def look() -> None:
        while not ended.wait(LOOK_S):
            quorum.seen.append(sum(of_each(servers, is_up).values()))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield quorum
    finally:
        ended.set()
        watcher.join(30)


def leader_last(serving: Serving) -> list[str]:
    """The order of a rollout: the inventory's, but for the server that leads the ensemble."""
    leads = {host.name for host in serving.servers if is_leader(host)}
    return sorted((host.name for host in serving.lab.hosts), key=leads.__contains__)


def is_leader(host: LabHost) -> bool:
    return four_letters(host, "srvr").get("Mode") == "leader"


@pytest.mark.full
def test_an_upgrade_of_every_engine_loses_no_request_and_no_quorum(serving: Serving) -> None:
    hosts = serving.lab.hosts
    assert set(of_each(hosts, version).values()) == {OLD}
    before, order = of_each(hosts, containers), leader_last(serving)
    load = traffic(serving.caller, *serving.servers, limit_s=LOAD_S)
    with watched(serving.servers) as quorum, load as calls:
        run = serving.run("deploy/engine.py", NEW)
    assert run.exit_code == 0, run.output
    assert set(of_each(hosts, version).values()) == {NEW}
    assert [line.split(": ")[0] for line in run.done if " install " in line] == order
    assert calls.failed == []
    calls.assert_steady()
    assert min(quorum.seen) == 2
    after = of_each(hosts, containers)
    assert {n: {c: f.id for c, f in found.items()} for n, found in after.items()} == {
        n: {c: f.id for c, f in found.items()} for n, found in before.items()
    }
    assert all(found.running for each in after.values() for found in each.values())


@pytest.mark.full
def test_a_restart_by_hand_goes_host_by_host(serving: Serving) -> None:
    began, order = of_each(serving.lab.hosts, started), leader_last(serving)
    load = traffic(serving.caller, *serving.servers, limit_s=LOAD_S)
    with watched(serving.servers) as quorum, load as calls:
        run = serving.run("deploy/service.py", NEW, "--data", "action=restart")
    assert run.exit_code == 0, run.output
    ended = of_each(serving.lab.hosts, started)
    assert all(ended[name] > began[name] for name in ended)
    assert sorted(ended, key=lambda name: ended[name]) == order
    assert calls.failed == []
    assert min(quorum.seen) == 2


def started(host: LabHost) -> int:
    """When dockerd was started, in microseconds of the machine's clock."""
    told = "systemctl show docker --property ActiveEnterTimestampMonotonic --value"
    return int(host.run(told).stdout)


@pytest.mark.full
def test_what_can_not_be_taken_away_is_not_stopped(serving: Serving) -> None:
    """A stop of all hosts ends before the last engine; the ensemble is not reached."""
    run = serving.run("deploy/service.py", NEW, "--data", "action=stop")
    assert run.exit_code == 1
    assert [line.split(":")[0] for line in run.done] == ["app-1"]
    assert "app-2: stop docker.service: " in run.output
    waiting = [name for name in leader_last(serving) if name.startswith("registry")]
    assert f"not yet touched: {', '.join(waiting)}" in run.output
    assert serving.lab["app-1"].run("docker ps", check=False).returncode != 0
    back = serving.run("deploy/service.py", NEW, "--data", "action=start")
    assert back.exit_code == 0, back.output
    assert [line.split(":")[0] for line in back.done] == ["app-1"]
    assert {found.running for found in containers(serving.lab["app-1"]).values()} == {True}
