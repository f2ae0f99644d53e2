"""What a deploy proves, and what it leaves behind where the proof fails."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kazoo.client import KazooClient

from tests.lab import Lab, LabHost
from tests.lab.conftest import Fleet
from tests.lab.load import forget_served, load
from tests.lab.reading import (
    ENGINES,
    PROXIES,
    Container,
    await_expiry,
    containers,
    four_letters,
    of_each,
    registered,
    registry,
    up,
    wait_until,
)
from tests.lab.running import Checkout, Listed, Run
from tests.lab.test_failures import (
    ENGINE,
    LOGS,
    PROXY,
    RATE_PER_S,
    SESSION_S,
    endpoint,
    is_whole,
    load_on,
)

FAILED = f"{ENGINE}-failed"
SPARE = 212
"""The last part of an address that no host of a lab has."""
CONTROLLERS_SESSION_S = 10
LEASE_S = 15

Containers = dict[str, dict[str, Container]]
"""By host, then by name."""


@pytest.fixture
def edited(steady: Fleet, own: Checkout) -> Checkout:
    """A copy that a test may edit."""
    return steady.checkout.copy(own.directory / "edited")


def deploy(fleet: Fleet, *hosts: LabHost | Listed, **data: object) -> Run:
    """Deploy to these hosts what is wanted, and `data` beside."""
    checkout = fleet.checkout
    inventory = checkout.inventory(hosts, data, base_image=fleet.lab.base_image())
    return checkout.run(inventory, "-y")


def exporting(fleet: Fleet, host: LabHost, address: str) -> list[LabHost | Listed]:
    """Return the whole fleet, with one host that exports another address."""
    return [Listed(h, {"export_ip": address}) if h is host else h for h in fleet.hosts]


@contextmanager
def second_address(host: LabHost) -> Iterator[str]:
    """Have a host with one more address, until it reboots."""
    address = host.network.address(SPARE)
    host.run(f"ip address add {address}/32 dev host0")
    try:
        yield address
    finally:
        host.run(f"ip address delete {address}/32 dev host0", check=False)


def row(matrix: str, caller: str) -> list[str]:
    """Return what a matrix says of one caller."""
    [line] = [line for line in matrix.splitlines() if line.split()[:1] == [caller]]
    return line.split()[1:]


def test_an_address_that_a_peer_cant_reach_fails_with_the_matrix(steady: Fleet) -> None:
    fleet, (host, peer, third) = steady, steady.apps
    before = of_each(fleet.apps, containers)
    with second_address(host) as address:
        rule = f"PREROUTING -s {peer.address} -d {address} -p tcp --dport 1080 -j DROP"
        host.run(f"iptables -t raw -I {rule}")
        hosts = exporting(fleet, host, address)
        changed = {"ready_timeout_s": 15, "environment": {"TURN": "2"}}
        try:
            with load_on(fleet) as calls:
                run = deploy(fleet, *hosts, soa_engine=changed)
        finally:
            host.run(f"iptables -t raw -D {rule}")
    assert run.exit_code == 1, run.output
    name = f"{address}:1080"
    assert f"{name} can't be reached from every proxy's host" in run.output
    told = run.output.partition(f"{name} can't be reached from every proxy's host")[2]
    matrix = told.partition("; ")[0]
    listed = row(matrix, "from")
    assert set(listed) >= {name, endpoint(peer, 1080), endpoint(third, 1080)}
    reached = {caller.name: row(matrix, caller.name)[listed.index(name)] for caller in fleet.apps}
    assert reached == {host.name: "yes", peer.name: "NO", third.name: "yes"}
    assert f"not yet touched: {peer.name}, {third.name}" in run.output
    assert_as_before(fleet, host, before)
    calls.assert_none_lost(fleet.apps, LOGS)


def ids_of(hosts: Containers) -> dict[str, dict[str, str]]:
    return {host: {name: c.id for name, c in found.items()} for host, found in hosts.items()}


def assert_as_before(fleet: Fleet, host: LabHost, before: Containers) -> None:
    """Fail unless the old engine serves, the new one is kept on `host`, and nothing else is new."""
    wait_until(lambda: is_whole(fleet), "the old engine is registered and up", 10)
    after = of_each(fleet.apps, containers)
    assert not after[host.name].pop(FAILED).running
    assert ids_of(after) == ids_of(before)
    host.run(f"docker rm {FAILED}")
    assert fleet.deploy().done == []


def test_an_image_that_does_not_start_leaves_the_old_one(steady: Fleet, edited: Checkout) -> None:
    fleet, host = steady, steady.apps[0]
    edited.edit("group_data/engine.py", '"STOP_GRACE_S": "25"', '"STOP_GRACE_S": "nonsense"')
    before = of_each(fleet.apps, containers)
    with load_on(fleet) as calls:
        run = edited.run(fleet.inventory, "-y")
    assert run.exit_code == 1, run.output
    assert "STOP_GRACE_S is 'nonsense'" in run.output
    assert f"is kept, stopped, as {FAILED}" in run.output
    assert f"{ENGINE} as it was before runs, and serves" in run.output
    assert "not yet touched: app-2, app-3" in run.output
    after = of_each(fleet.apps, containers)
    assert {name: after[name] for name in ("app-2", "app-3")} == {
        name: before[name] for name in ("app-2", "app-3")
    }
    host.run("systemctl restart docker")
    assert_as_before(fleet, host, before)
    calls.assert_none_lost(fleet.apps, LOGS)


@pytest.mark.full
def test_hosts_that_were_changed_go_back_when_the_last_one_fails(steady: Fleet) -> None:
    fleet, last = steady, steady.apps[2]
    broken = {"soa_engine": {"environment": {"STOP_GRACE_S": "nonsense"}}}
    hosts = [Listed(host, broken) if host is last else host for host in fleet.hosts]
    before = of_each(fleet.apps, containers)
    with load_on(fleet) as calls:
        run = deploy(
            fleet,
            *hosts,
            rollout={"on_failure": "rollback"},
            soa_engine={"environment": {"TURN": "2"}},
        )
    assert run.exit_code == 1, run.output
    assert [line.split(":")[0] for line in run.done] == ["app-1", "app-2"]
    assert "Going back on: app-2, app-1" in run.output
    assert run.output.count(f"has gone back: {ENGINE} as it was before runs, and serves") == 2
    after = of_each(fleet.apps, containers)
    assert [found.pop(FAILED).running for found in after.values()] == [False] * 3
    assert ids_of(after) == ids_of(before)
    assert is_whole(fleet)
    calls.assert_none_lost(fleet.apps, LOGS)
    of_each(fleet.apps, lambda host: host.run(f"docker rm {FAILED}"))
    assert fleet.deploy().done == []


@pytest.mark.full
def test_a_controller_that_dies_while_it_drains_leaves_an_engine_that_serves(
    steady: Fleet, edited: Checkout
) -> None:
    fleet = steady
    edited.edit("group_data/engine.py", '"environment": {', '"environment": {"TURN": "2", ')
    before = of_each(fleet.apps, containers)
    with load_on(fleet) as calls:
        running = edited.start(fleet.inventory, "-y", "--data", f"rollout.lease_s={LEASE_S}")
        with registry(fleet.registry) as client:
            wait_until(lambda: client.get_children("/osp/drain"), "a mark", 60)
            running._process.kill()
            assert running.wait().exit_code == -9
            assert client.get_children("/osp/drain") == [endpoint(fleet.apps[0], 1080)]
        wait_until(
            lambda: registered(fleet.registry)[ENGINES] == fleet.engines,
            "it is registered again",
            CONTROLLERS_SESSION_S + 2,
        )
        assert of_each(fleet.apps, containers) == before
        await_expiry(fleet.hosts, 2 * LEASE_S)
        again = edited.run(fleet.inventory, "-y")
        assert again.exit_code == 0, again.output
        assert [line.split(":")[0] for line in again.done] == ["app-1", "app-2", "app-3"]
    calls.assert_none_lost(fleet.apps, LOGS)
    back = fleet.deploy()
    assert back.exit_code == 0, back.output


@pytest.mark.full
def test_a_fleet_of_one_engine_is_replaced_without_a_lost_request(steady: Fleet) -> None:
    fleet, (only, *others) = steady, steady.apps
    of_each(others, lambda host: host.run(f"docker stop {ENGINE}", timeout_s=90))
    own = endpoint(only, 1080)
    wait_until(lambda: up(only) == {own} == registered(fleet.registry)[ENGINES], "it is alone")
    wish = {"second_port": 1081, "environment": {"TURN": "2"}}
    forget_served(fleet.apps, LOGS)
    with load([endpoint(only, 2080)], RATE_PER_S) as calls:
        run = deploy(fleet, only, fleet.registry, soa_engine=wish)
        assert run.exit_code == 0, run.output
        assert len(run.done) == 1
        calls.wait_for(len(calls.requests) + 100)
    calls.assert_none_lost([only], LOGS)
    assert {r.engine for r in calls.requests} == {own, endpoint(only, 1081)}
    assert registered(fleet.registry)[ENGINES] == {endpoint(only, 1081)}
    of_each(others, lambda host: host.run(f"docker start {ENGINE}"))
    back = fleet.deploy()
    assert back.exit_code == 0, back.output
    assert is_whole(fleet)


@pytest.mark.full
def test_a_host_that_reboots_with_another_address_registers_nothing_wrong(steady: Fleet) -> None:
    fleet, host = steady, steady.apps[2]
    others = {ENGINES: set(fleet.engines), PROXIES: set(fleet.proxies)}
    others = {
        p: {n for n in names if not n.startswith(host.address)} for p, names in others.items()
    }
    with second_address(host) as address:
        run = deploy(fleet, *exporting(fleet, host, address))
        assert run.exit_code == 0, run.output
        found = registered(fleet.registry)
        assert found[ENGINES] - others[ENGINES] == {f"{address}:1080"}
        assert found[PROXIES] - others[PROXIES] == {f"{address}:2080"}
        host.reboot()
    wait_until(lambda: registered(fleet.registry) == others, "their sessions have ended", 20)
    for _ in range(SESSION_S):
        time.sleep(1)
        assert registered(fleet.registry) == others
    logs = host.run(f"docker logs --tail 5 {PROXY} 2>&1").stdout
    assert f"EXPORT_IP is '{address}'" in logs
    assert not containers(host)[ENGINE].running

    mended = fleet.deploy()
    assert mended.exit_code == 0, mended.output
    assert [line.split(":")[:2] for line in mended.done] == [
        [host.name, " soa_engine"],
        [host.name, " proxy"],
    ]
    assert all(f"EXPORT_IP: {address} -> {host.address}" in line for line in mended.done)
    wait_until(lambda: is_whole(fleet), "it serves under its own address")


def remove_all(host: LabHost) -> None:
    host.run("docker rm --force --volumes $(docker ps -aq)", timeout_s=90)


@pytest.mark.full
def test_a_fleet_of_ipv6_serves_and_its_second_run_is_silent(steady: Fleet) -> None:
    """Made anew: what runs by IPv4 would lose the registry as soon as that listens by IPv6."""
    fleet = steady
    addresses = {host.name: host.address6 for host in fleet.hosts}
    if not all(addresses.values()):
        pytest.skip("this machine has IPv6 off")
    refused = deploy(fleet, *fleet.hosts, export_ip="2001:db8::/32")
    assert [problem.split(" has ")[0] for problem in refused.problems] == [
        f"{host.name}: soa_engine.network: Docker's bridge" for host in fleet.apps
    ]
    by_ipv6 = {"export_ip": "2001:db8::/32", "soa_engine": {"network": "host"}}
    of_each(fleet.hosts, remove_all)
    first = deploy(fleet, *fleet.hosts, **by_ipv6)
    assert first.exit_code == 0, first.output
    engines = {f"[{addresses[host.name]}]:1080" for host in fleet.apps}
    client = KazooClient(hosts=f"[{addresses[fleet.registry.name]}]:2181")
    client.start()
    assert set(client.get_children(ENGINES)) == engines
    client.stop()
    client.close()
    for host in fleet.apps:
        url = f"http://[{addresses[host.name]}]:2080/sayhello?name=Ada"
        answers = [urllib.request.urlopen(url, timeout=10).read() for _ in range(12)]
        assert {json.loads(answer)["engine"] for answer in answers} == engines
    second = deploy(fleet, *fleet.hosts, **by_ipv6)
    assert second.exit_code == 0, second.output
    assert second.planned == second.done == []
    of_each(fleet.hosts, remove_all)
    back = fleet.deploy()
    assert back.exit_code == 0, back.output
    wait_until(lambda: is_whole(fleet), "it serves by IPv4 again")


@pytest.fixture
def trio(fleet: Fleet) -> Iterator[Lab]:
    """Three registry hosts of their own."""
    beside = Lab(f"{fleet.lab.name}-trio")
    beside.up(hosts=0, registry=3, with_docker=True)
    yield beside
    beside.down()


def serves(host: LabHost) -> bool:
    try:
        return "Mode" in four_letters(host, "srvr")
    except OSError:
        return False


def listens(host: LabHost) -> bool:
    try:
        four_letters(host, "ruok")
    except OSError:
        return False
    return True


@contextmanager
def fewest(hosts: list[LabHost]) -> Iterator[list[int]]:
    """Watch servers; how many answered goes to what is yielded, time and again."""
    found: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            found.append(sum(of_each(hosts, listens).values()))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


@pytest.mark.full
def test_an_ensemble_is_replaced_leader_last_and_a_wiped_member_joins_it_again(
    fleet: Fleet, trio: Lab
) -> None:
    owner = Listed(fleet.apps[0], name="fleet-app-1", groups=())
    first = deploy(fleet, *trio.hosts, owner)
    assert first.exit_code == 0, first.output
    modes = of_each(trio.hosts, lambda host: four_letters(host, "srvr")["Mode"])
    [leader] = [name for name, mode in modes.items() if mode == "leader"]

    with fewest(trio.hosts) as answered:
        rolled = deploy(fleet, *trio.hosts, owner, registry={"server": {"heap_mb": 192}})
    assert rolled.exit_code == 0, rolled.output
    replaced = [line.split(":")[0] for line in rolled.done if "replace container" in line]
    assert sorted(replaced) == sorted(modes)
    assert replaced[-1] == leader
    assert min(answered) == 2

    with registry(*trio.hosts) as client:
        client.create("/written-before", b"kept")
    wiped, *others = sorted(
        trio.hosts, key=lambda host: four_letters(host, "srvr")["Mode"] != "follower"
    )
    wiped.run("docker stop zookeeper && rm -rf /apps/data/zookeeper/* && docker start zookeeper")
    for _ in range(8):
        time.sleep(1)
        assert not serves(wiped)
        assert all(map(serves, others))
    assert "myid is absent" in wiped.run("docker logs --tail 5 zookeeper 2>&1").stdout

    joined = deploy(fleet, *trio.hosts, owner, registry={"server": {"heap_mb": 192}})
    assert joined.exit_code == 0, joined.output
    assert f"{wiped.name}: registry: join the ensemble as server" in "\n".join(joined.done)
    with registry(wiped) as client:
        assert client.get("/written-before")[0] == b"kept"
