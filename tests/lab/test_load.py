"""Rollouts under load lose no request: numbered, each sent once, counted in the engines' logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.load import forget_served, load
from tests.lab.reading import ENGINES, PROXIES, get, of_each, registered, up, wait_until
from tests.lab.running import Checkout, Run

REQUESTS = 20_000
ROLLOUTS = ("first", "second", "third")
LOGS = "/apps/logs/sayhello-service-engine"
FOREIGN = Path(__file__).parent / "foreign-engine"
FOREIGN_LOGS = "/apps/logs/hello-engine"

# The engine's own way of ending (it serves until nobody calls) would hide a drain that is missing.
ENDS_AT_ONCE = {"STOP_GRACE_S": "0"}


@dataclass(frozen=True)
class Loaded:
    """The fleet, with engines that end at once."""

    fleet: Fleet
    checkout: Checkout

    def roll(self, turn: str, *options: str, **changes: Any) -> Run:
        """Replace every engine and every proxy."""
        data = {
            "soa_engine": {"environment": {**ENDS_AT_ONCE, "TURN": turn}},
            "proxy": {"environment": {"TURN": turn}},
        }
        for role, change in changes.items():
            data[role] |= change
        archive = self.fleet.lab.base_image()
        inventory = self.checkout.inventory(self.fleet.hosts, data, base_image=archive)
        return self.checkout.run(inventory, "-y", *options)


@pytest.fixture(scope="module")
def loaded(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    own = fleet.checkout.copy(tmp_path_factory.mktemp("loaded"))
    found = Loaded(fleet, own)
    run = found.roll("none")
    assert run.exit_code == 0, run.output
    yield found
    back = fleet.deploy()
    assert back.exit_code == 0, back.output


def boot_id(host: LabHost) -> str:
    return host.run("cat /proc/sys/kernel/random/boot_id").stdout


def replaced(run: Run, role: str) -> int:
    return sum(f": {role}: replace container" in line for line in run.done)


def test_rollouts_of_engines_and_proxies_lose_no_request(loaded: Loaded) -> None:
    fleet = loaded.fleet
    forget_served(fleet.apps, LOGS)
    with load(sorted(fleet.proxies)) as calls:
        for turn in ROLLOUTS:
            run = loaded.roll(turn)
            assert run.exit_code == 0, run.output
            assert (replaced(run, "soa_engine"), replaced(run, "proxy")) == (3, 3)
        calls.wait_for(REQUESTS)
    calls.assert_none_lost(fleet.apps, LOGS)
    assert {r.method for r in calls.requests} == {"GET", "POST"}
    assert sum(r.took_s > 3 for r in calls.requests) > len(ROLLOUTS) * 10
    assert {r.engine for r in calls.requests} == fleet.engines


@pytest.mark.full
def test_reboots_of_all_hosts_lose_no_request(loaded: Loaded) -> None:
    """The caller finds proxies as the sdk does; the only server of the registry reboots, too."""
    fleet = loaded.fleet
    forget_served(fleet.apps, LOGS)
    before = of_each(fleet.hosts, boot_id)
    with load(registry=f"{fleet.registry.address}:2181", rate_per_s=100) as calls:
        run = fleet.checkout.run(fleet.inventory, "-y", deploy="deploy/reboot.py")
        assert run.exit_code == 0, run.output
        calls.wait_for(len(calls.requests) + 500)
    calls.assert_none_lost(fleet.apps, LOGS)
    after = of_each(fleet.hosts, boot_id)
    assert all(before[name] != after[name] for name in before)
    assert registered(fleet.registry) == {ENGINES: fleet.engines, PROXIES: fleet.proxies}


@pytest.mark.full
def test_without_the_drain_the_same_load_loses_requests(loaded: Loaded, tmp_path: Path) -> None:
    careless = Loaded(loaded.fleet, loaded.checkout.copy(tmp_path / "careless"))
    careless.checkout.edit("roles/soa_engine/rollout.py", "    aside=aside,\n", "")
    with load(sorted(loaded.fleet.proxies)) as calls:
        run = careless.roll("careless")
        assert run.exit_code == 0, run.output
    assert calls.failed


@pytest.mark.full
def test_an_engine_that_knows_nothing_of_all_this_loses_no_request_either(loaded: Loaded) -> None:
    """A shell as process 1 that ignores SIGTERM, a layout of its own, no drain, no health."""
    fleet = loaded.fleet
    pattern = "/hello/providers/{address}_{port}"
    engine = {
        "container": "hello-engine",
        "image": {"name": "hello-engine", "context": str(FOREIGN)},
        "registration": pattern,
        "drain": None,
        "call": None,
        "port": 1085,
        "user": None,
        "read_only": False,
        "logs": {"host": FOREIGN_LOGS, "container": "/usr/local/hello-engine/logs"},
        "stop_timeout_s": 2,
    }
    proxy = {"OSP_SERVICES": f"sayhello={pattern}", "OSP_HEALTH_CHECK": "tcp"}
    told = {"proxy": {"environment": proxy}}
    for host in fleet.apps:
        host.run("docker rm -f sayhello-service-engine osp-proxy")  # no rollout could prove both
    moved = loaded.roll("none", soa_engine=engine, **told)
    assert moved.exit_code == 0, moved.output
    wait_until(lambda: all(len(up(host)) == 3 for host in fleet.apps), "all engines up")
    for host in fleet.apps:
        assert get(host, 2080, "/sayhello?name=Ada")["engine"].endswith(":1085")
    with load(sorted(fleet.proxies)) as calls:
        run = loaded.roll("foreign", soa_engine={**engine, "environment": {"TURN": "2"}}, **told)
        assert run.exit_code == 0, run.output
    assert replaced(run, "soa_engine") == 3
    calls.assert_none_lost(fleet.apps, FOREIGN_LOGS)
    for words in (
        "it declares no drain: the proxies alone are asked to let it go",
        "whether it is healthy is not provable: the image has no health check",
    ):
        assert run.output.count(words) == 3, run.output
    for host in fleet.apps:
        host.run("docker rm -f hello-engine osp-proxy")
