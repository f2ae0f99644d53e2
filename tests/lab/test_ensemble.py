"""The registry grows from one server to three and back, with a new engine and proxy, under load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab import Lab, LabHost
from tests.lab.load import forget_served, load
from tests.lab.reading import (
    ENGINES,
    PROXIES,
    containers,
    four_letters,
    of_each,
    registered,
    up,
    wait_until,
)
from tests.lab.running import Checkout, Listed, Run

pytestmark = pytest.mark.full

BOOTSTRAP, RETIRE = "deploy/bootstrap.py", "deploy/retire.py"
LOGS = "/apps/logs/sayhello-service-engine"
RATE_PER_S = 100
NEW = ("registry-2", "registry-3", "app-3")
LIMIT = [word for name in NEW for word in ("--limit", name)]
TOLD = "VIP_CFGCENTER_ZK_CONNECTION"


@dataclass(frozen=True)
class Growing:
    """A lab of six hosts, of which three were deployed to."""

    lab: Lab
    checkout: Checkout
    first: Run

    @property
    def servers(self) -> list[LabHost]:
        return [self.lab[name] for name in ("registry-1", "registry-2", "registry-3")]

    @property
    def apps(self) -> list[LabHost]:
        return [self.lab[name] for name in ("app-1", "app-2", "app-3")]

    def run(self, names: tuple[str, ...], *options: str, deploy: str = "deploy/soa.py") -> Run:
        listed = [Listed(self.lab[name], groups=groups(name)) for name in names]
        base = self.lab.base_image("bookworm")
        inventory = self.checkout.inventory(listed, base_image=base)
        return self.checkout.run(inventory, *options, deploy=deploy, timeout_s=1200)


def groups(name: str) -> list[str]:
    if name.startswith("app"):
        return ["engine", "proxy"]
    return ["registry", "sdk"] if name == "registry-1" else ["registry"]


BEFORE = ("app-1", "app-2", "registry-1")
AFTER = (*BEFORE, *NEW)


@pytest.fixture(scope="module")
def growing(lab_name: str, checkout: Checkout) -> Iterator[Growing]:
    beside = Lab(f"{lab_name}-growing")
    beside.up(hosts=3, registry=3, with_docker=True)
    made = Growing(beside, checkout, Run(0, "", 0))
    yield Growing(beside, checkout, made.run(BEFORE, "-y"))
    beside.down()


def modes(hosts: list[LabHost]) -> Counter[str]:
    return Counter(four_letters(host, "srvr").get("Mode", "none") for host in hosts)


def told(host: LabHost) -> set[str]:
    found = containers(host).values()
    return {c.environment[TOLD] for c in found if TOLD in c.environment}


def places(hosts: list[LabHost]) -> str:
    return ",".join(f"{host.address}:2181" for host in hosts)


def test_a_limit_without_those_that_must_be_told_is_refused(growing: Growing) -> None:
    assert growing.first.exit_code == 0, growing.first.output
    assert modes(growing.servers[:1]) == {"leader": 1}
    before = of_each(growing.lab.hosts, containers)
    refused = growing.run(AFTER, "-y", *LIMIT)
    assert refused.exit_code == 1
    [problem] = refused.problems
    assert "outside the limit, too: app-1, app-2, registry-1; run without --limit, or" in problem
    assert of_each(growing.lab.hosts, containers) == before


def test_servers_and_an_engine_and_a_proxy_join_under_load(growing: Growing) -> None:
    one = growing.servers[0]
    assert told(growing.apps[0]) == {places([one])}
    with load(rate_per_s=RATE_PER_S, registry=f"{one.address}:2181") as calls:
        run = growing.run(AFTER, "-y", *LIMIT, deploy=BOOTSTRAP)
        assert run.exit_code == 0, run.output
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    assert "told the registry's new addresses too: app-1, app-2, registry-1" in run.output
    joined = [line.partition(":")[0] for line in run.done if "join the ensemble" in line]
    assert sorted(joined) == ["registry-2", "registry-3"]
    first_told = next(line for line in run.done if TOLD in line)
    last_joined = next(line for line in reversed(run.done) if "join the ensemble" in line)
    assert run.done.index(last_joined) < run.done.index(first_told)
    assert modes(growing.servers) == {"leader": 1, "follower": 2}
    assert all(told(app) == {places(growing.servers)} for app in growing.apps)
    found = registered(*growing.servers)
    assert found[ENGINES] == {f"{app.address}:1080" for app in growing.apps}
    assert found[PROXIES] == {f"{app.address}:2080" for app in growing.apps}
    calls.assert_none_lost(growing.apps, LOGS)


def test_nothing_is_left_to_be_changed(growing: Growing) -> None:
    for deploy, limit in ((BOOTSTRAP, LIMIT), ("deploy/soa.py", [])):
        again = growing.run(AFTER, "-y", *limit, deploy=deploy)
        assert again.exit_code == 0, again.output
        assert again.planned == again.done == []
    checked = growing.run(AFTER, deploy="deploy/drift.py")
    assert checked.exit_code == 0, checked.output


def test_a_server_that_is_lost_is_not_missed(growing: Growing) -> None:
    """The first one, which was the whole registry once: its data and its leader are elsewhere."""
    first, *others = growing.servers
    first.run("docker stop zookeeper")
    wait_until(lambda: modes(others) == {"leader": 1, "follower": 1}, "the others serve", 30)
    back = growing.run(AFTER, "-y")
    assert back.exit_code == 0, back.output
    assert modes(growing.servers) == {"leader": 1, "follower": 2}


def test_one_of_each_leaves_under_load(growing: Growing) -> None:
    """A server, and an engine with its proxy: all that stay are told, and nothing is lost."""
    one, two, three = growing.servers
    leaves, *stay = growing.apps
    forget_served(growing.apps, LOGS)
    limit = [word for host in (three, leaves) for word in ("--limit", host.name)]
    with load(rate_per_s=RATE_PER_S, registry=places([one, two])) as calls:
        run = growing.run(AFTER, "-y", *limit, deploy=RETIRE)
        assert run.exit_code == 0, run.output
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    assert containers(three) == containers(leaves) == {}
    assert modes([one, two]) == {"leader": 1, "follower": 1}
    assert [told(app) for app in stay] == [{places([one, two])}] * 2
    assert registered(one)[ENGINES] == {f"{app.address}:1080" for app in stay}
    calls.assert_none_lost(growing.apps, LOGS)


def test_all_servers_but_one_leave_under_load(growing: Growing) -> None:
    one, two, _ = growing.servers
    _, *stay = growing.apps
    forget_served(growing.apps, LOGS)
    with load(rate_per_s=RATE_PER_S, registry=f"{one.address}:2181") as calls:
        run = growing.run(("app-2", "app-3", "registry-1"), "-y")
        assert run.exit_code == 0, run.output
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    assert len([line for line in run.done if "leave the ensemble" in line]) == 1
    two.run("docker stop zookeeper")
    assert modes([one]) == {"leader": 1}
    engines = {f"{app.address}:1080" for app in stay}
    assert registered(one)[ENGINES] == engines
    wait_until(lambda: all(up(app) == engines for app in stay), "the proxies know them")
    calls.assert_none_lost(growing.apps, LOGS)
