"""The failures that other fleets did not survive: numbered requests, each sent once, and counted.

Nobody sends a request again here, neither the caller nor the proxies. A request that is lost was
on the very process that died; whatever else happens, none is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import LabHost
from tests.lab.command import run as run_here
from tests.lab.conftest import Fleet
from tests.lab.load import Load, Request, forget_served, load, served
from tests.lab.reading import ENGINES, containers, get, of_each, registry, up, wait_until
from tests.lab.running import Checkout, Listed
from tests.lab.test_traffic import all_up, is_registered, registrations, slow_calls

ENGINE, PROXY = "sayhello-service-engine", "osp-proxy"
LOGS = f"/apps/logs/{ENGINE}"
RATE_PER_S = 100
OUT_OF_ROTATION_S = 3
SESSION_S = 6
DYING_S = 0.1
"""How long a killed process may still take connections, as this machine sees it when it is busy."""
PROXY_BACK_S = 15


@pytest.fixture(scope="module")
def turned(steady: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """What differs in every engine from what `steady` has."""
    own = steady.checkout.copy(tmp_path_factory.mktemp("turned"))
    own.edit("group_data/engine.py", '"environment": {', '"environment": {"TURN": "2", ')
    return own


@dataclass(frozen=True)
class Moment:
    """Something was done to a host between these times of the clock that all hosts share."""

    began: float
    ended: float

    def was_within(self, request: Request) -> bool:
        """Whether a request may have been under way just then."""
        answered_at = request.sent_at + request.took_s
        return answered_at >= self.began and request.sent_at <= self.ended + DYING_S


def done_on(host: LabHost, command: str) -> Moment:
    lines = host.run(f"date +%s.%N && ({command}) >/dev/null && date +%s.%N").stdout.split()
    return Moment(*map(float, lines))


def process_of(host: LabHost, container: str, program: str) -> str:
    """Return the ID on the host of a container's process, by the program that it runs."""
    lines = host.run(f"docker top {container} -eo pid,comm").stdout.splitlines()[1:]
    [pid] = [pid for pid, comm in map(str.split, lines) if comm == program]
    return pid


def endpoint(host: LabHost, port: int) -> str:
    return f"{host.address}:{port}"


@contextmanager
def killed(fleet: Fleet, victim: LabHost, command: str) -> Iterator[Moment]:
    """Kill an engine by a command, when requests that last seconds are on it and on all others."""
    with slow_calls(fleet) as slow:
        wait_until(lambda: get(victim, 1080, "/status")["in_flight"] >= 2, "some in flight", 10)
        yield done_on(victim, command)
    lost = [call for call in slow if call.exception()]
    assert lost, "nothing was in flight there"
    others = fleet.engines - {endpoint(victim, 1080)}
    assert {call.result() for call in slow if call not in lost} == others


def status_of(engine: LabHost) -> dict[str, Any]:
    """Return what an engine tells; nothing while it does not answer."""
    try:
        told: dict[str, Any] = get(engine, 1080, "/status")
    except OSError:
        return {}
    return told


def service(proxy: LabHost) -> dict[str, Any]:
    """Return what a proxy tells of the service."""
    told: dict[str, Any] = get(proxy, 2081, "/status")["services"]["sayhello"]
    return told


def is_whole(fleet: Fleet) -> bool:
    return is_registered(fleet) and all_up(fleet)


@contextmanager
def load_on(fleet: Fleet, *proxies: LabHost) -> Iterator[Load]:
    """Have numbered requests sent through these proxies, or all; the fleet is whole before."""
    wait_until(lambda: is_whole(fleet), "all engines registered and up")
    forget_served(fleet.apps, LOGS)
    with load([endpoint(host, 2080) for host in proxies or fleet.apps], RATE_PER_S) as calls:
        yield calls


def assert_lost_in_flight_alone(calls: Load, fleet: Fleet, victim: LabHost, death: Moment) -> None:
    """Fail unless all that was lost was on an engine when it died."""
    lost = calls.failed
    assert [r for r in lost if not death.was_within(r)] == []
    assert [r for r in lost if "status 503" in r.error] == []  # it had reached no engine
    elsewhere = served([host for host in fleet.apps if host != victim], LOGS)
    assert [r for r in lost if elsewhere[r.number]] == []
    assert any(r.engine for r in calls.requests if death.was_within(r))
    assert_answered_once(calls, fleet.apps)


def assert_answered_once(calls: Load, engines: Sequence[LabHost]) -> None:
    times = served(engines, LOGS)
    answered = {r.number: times[r.number] for r in calls.requests if not r.error}
    assert {number: found for number, found in answered.items() if found != 1} == {}


@pytest.mark.parametrize("gone_s", [20, pytest.param(180, marks=pytest.mark.full)])
def test_without_a_registry_traffic_goes_on_past_an_engine_that_dies(
    steady: Fleet, gone_s: int
) -> None:
    fleet, victim = steady, steady.apps[1]
    with load_on(fleet) as calls:
        fleet.registry.run("docker stop zookeeper")
        wait_until(lambda: all(service(host)["stale"] for host in fleet.apps), "all notice")
        time.sleep(gone_s)
        others = fleet.engines - {endpoint(victim, 1080)}
        with killed(fleet, victim, f"docker kill {ENGINE}") as death:
            wait_until(
                lambda: all(up(host) == others for host in fleet.apps),
                "it is out",
                OUT_OF_ROTATION_S,
            )
        victim.run(f"docker start {ENGINE}")
        wait_until(lambda: all_up(fleet), "it is used again, unregistered", 10)
        fleet.registry.run("docker start zookeeper")
        wait_until(lambda: is_whole(fleet), "everybody is registered")
    assert_lost_in_flight_alone(calls, fleet, victim, death)


def test_most_engines_leave_the_registry_at_once_and_serve_on(steady: Fleet) -> None:
    fleet, leaving = steady, steady.apps[:2]
    with load_on(fleet) as calls:
        of_each(leaving, lambda host: host.run(f"docker kill --signal USR1 {ENGINE}"))
        alarm = "2 of 3 engines left the registry at once; kept while their health checks pass"
        wait_until(
            lambda: [service(host)["alarm"] for host in fleet.apps] == [alarm] * 3, "an alarm", 5
        )
        left_at = time.time()
        time.sleep(5)
        assert all_up(fleet)
        of_each(leaving, lambda host: host.run(f"docker kill --signal USR2 {ENGINE}"))
        wait_until(lambda: is_whole(fleet), "they are registered again")
        wait_until(lambda: not any(service(host)["alarm"] for host in fleet.apps), "no alarm")
    calls.assert_none_lost(fleet.apps, LOGS)
    assert {r.engine for r in calls.requests if r.sent_at > left_at} == fleet.engines


def test_an_empty_list_takes_no_engine_away(steady: Fleet) -> None:
    """All nodes are deleted, which engines mend at once; then all engines leave for seconds."""
    fleet = steady
    with load_on(fleet) as calls, registry(fleet.registry) as client:
        transaction = client.transaction()
        for name in fleet.engines:
            transaction.delete(f"{ENGINES}/{name}")
        assert not [result for result in transaction.commit() if isinstance(result, Exception)]
        wait_until(lambda: is_whole(fleet), "they register again")
        of_each(fleet.apps, lambda host: host.run(f"docker kill --signal USR1 {ENGINE}"))
        wait_until(lambda: client.get_children(ENGINES) == [], "the list is empty")
        emptied_at = time.time()
        time.sleep(3)
        assert client.get_children(ENGINES) == []
        assert all_up(fleet)
        of_each(fleet.apps, lambda host: host.run(f"docker kill --signal USR2 {ENGINE}"))
        wait_until(lambda: is_whole(fleet), "they register again")
    calls.assert_none_lost(fleet.apps, LOGS)
    assert {r.engine for r in calls.requests if r.sent_at > emptied_at} == fleet.engines


def test_nodes_that_vanish_before_they_are_read_blind_no_proxy(steady: Fleet) -> None:
    fleet, leaving = steady, steady.apps[0]
    nobody = f"{ENGINES}/{endpoint(fleet.registry, 1080)}"
    others = fleet.engines - {endpoint(leaving, 1080)}
    with load_on(fleet) as calls, registry(fleet.registry) as client:
        for _ in range(200):
            client.create(nobody, ephemeral=True)
            client.delete(nobody)
        leaving.run(f"docker kill --signal USR1 {ENGINE}")
        wait_until(lambda: all(up(host) == others for host in fleet.apps), "one has left", 5)
        leaving.run(f"docker kill --signal USR2 {ENGINE}")
        wait_until(lambda: is_whole(fleet), "it is back")
    calls.assert_none_lost(fleet.apps, LOGS)


def test_an_engine_restarted_before_its_session_ends_keeps_its_node(steady: Fleet) -> None:
    fleet, victim = steady, steady.apps[0]
    with load_on(fleet) as calls, registrations(fleet) as lists:
        before = get(victim, 1080, "/status")["instance"]
        with killed(fleet, victim, f"docker kill {ENGINE} && docker start {ENGINE}") as death:
            wait_until(lambda: status_of(victim).get("registered"), "it is registered again")
        wait_until(lambda: is_whole(fleet), "it serves again")
        assert get(victim, 1080, "/status")["instance"] != before
        time.sleep(SESSION_S + 4)  # by now the old session has ended
        assert is_whole(fleet)
    assert {frozenset(found) for found in lists} == {frozenset(fleet.engines)}
    assert_lost_in_flight_alone(calls, fleet, victim, death)


@pytest.mark.parametrize("program", ["python3", "haproxy"])
def test_a_proxy_that_is_killed_costs_its_own_callers_alone(steady: Fleet, program: str) -> None:
    fleet, victim = steady, steady.apps[2]
    before = containers(victim)[PROXY]
    with load_on(fleet) as calls:
        death = done_on(victim, f"kill -9 {process_of(victim, PROXY, program)}")
        wait_until(lambda: containers(victim)[PROXY].started_at != before.started_at, "it starts")
        wait_until(lambda: is_whole(fleet), "it is registered, and has all engines", PROXY_BACK_S)
        back_at = time.time()
        calls.wait_for(len(calls.requests) + 100)
    assert containers(victim)[PROXY].id == before.id
    lost = calls.failed
    assert {r.proxy for r in lost} == {endpoint(victim, 2080)}
    assert [r for r in lost if r.sent_at + r.took_s < death.began or r.sent_at > back_at] == []
    assert any(r.proxy == endpoint(victim, 2080) for r in calls.requests if r.sent_at > back_at)
    assert_answered_once(calls, fleet.apps)


def anew(fleet: Fleet, turned: Checkout) -> Checkout:
    """Return what replaces every engine: the one of the two that does not run now."""
    is_turned = "TURN" in containers(fleet.apps[0])[ENGINE].environment
    return fleet.checkout if is_turned else turned


@contextmanager
def suspended(host: LabHost, container: str) -> Iterator[None]:
    """Have a container's processes stand still, as `docker pause` does, unknown to Docker."""
    signal = f"kill -%s $(docker top {container} -eo pid | tail -n +2)"
    host.run(signal % "STOP")
    try:
        yield
    finally:
        host.run(signal % "CONT")


@contextmanager
def paused(host: LabHost, container: str) -> Iterator[None]:
    host.run(f"docker pause {container}")
    try:
        yield
    finally:
        host.run(f"docker unpause {container}")


@pytest.mark.full
def test_a_suspended_proxy_stops_a_rollout_until_it_answers(
    steady: Fleet, turned: Checkout
) -> None:
    fleet, silent = steady, steady.apps[2]
    answering = [host for host in fleet.apps if host != silent]
    changed = anew(fleet, turned)
    before = of_each(fleet.apps, containers)
    with load_on(fleet, *answering) as calls:
        with paused(silent, PROXY):
            halted = changed.run(fleet.inventory, "-y")
        assert halted.exit_code == 1, halted.output
        assert "the proxy of app-3 does not tell its state, but " in halted.output
        assert of_each(fleet.apps, containers) == before
        wait_until(lambda: is_whole(fleet), "the proxy is back")
        with suspended(silent, PROXY):
            stopped = changed.run(fleet.inventory, "-y")
        assert stopped.exit_code == 1, stopped.output
        assert "the proxy of app-3 does not tell its state, but " in stopped.output
        assert "not yet touched: app-2, app-3" in stopped.output
        assert of_each(fleet.apps, containers) == before
        wait_until(lambda: is_whole(fleet), "the proxy is back")
        again = changed.run(fleet.inventory, "-y")
        assert again.exit_code == 0, again.output
        assert [line.split(":")[0] for line in again.done] == ["app-1", "app-2", "app-3"]
    calls.assert_none_lost(fleet.apps, LOGS)


@pytest.mark.full
def test_a_proxy_that_nobody_reaches_is_left_out_and_named(steady: Fleet, turned: Checkout) -> None:
    fleet, cut_off = steady, steady.apps[2]
    answering = [host for host in fleet.apps if host != cut_off]
    changed = anew(fleet, turned)
    rule = "INPUT -p tcp -m multiport --dports 2080,2081 -j REJECT --reject-with tcp-reset"
    with load_on(fleet, *answering) as calls:
        cut_off.run(f"iptables -I {rule}")
        try:
            run = changed.run(fleet.inventory, "-y")
        finally:
            cut_off.run(f"iptables -D {rule}")
    assert run.exit_code == 0, run.output
    assert [line.split(":")[0] for line in run.done] == ["app-1", "app-2", "app-3"]
    assert "app-3: no peer reaches its proxy any more: it is left out" in run.output
    calls.assert_none_lost(fleet.apps, LOGS)


def inside(host: LabHost, command: str) -> None:
    """Run a command in a host's network, also when no SSH reaches it."""
    run_here(["nsenter", f"--target={host.leader_pid}", "--net", "sh", "-ec", command])


@contextmanager
def swapped(one: LabHost, other: LabHost, bystanders: Sequence[LabHost]) -> Iterator[None]:
    """Have two hosts with each other's address.

    Their engines answer at whatever address, as behind a port that is published on all: what
    Docker publishes on the former address alone is led on by a rule.
    """
    look = f"docker inspect --format '{{{{.NetworkSettings.IPAddress}}}}' {ENGINE}"
    inner = {host.name: host.run(look).stdout.strip() for host in (one, other)}

    def move(host: LabHost, old: str, new: str, verb: str) -> None:
        at = other.address if host is one else one.address
        inside(
            host,
            f"ip address delete {old}/24 dev host0; ip address add {new}/24 dev host0;"
            f" ip route replace default via {host.network.gateway};"
            f" iptables -t nat {verb} PREROUTING -d {at} -p tcp --dport 1080"
            f" -j DNAT --to-destination {inner[host.name]}:1080",
        )

    def forget_neighbours() -> None:
        for host in (one, other, *bystanders):
            inside(host, "ip neighbour flush dev host0")
        run_here(["ip", "neighbour", "flush", "dev", one.network.bridge])

    move(one, one.address, other.address, "-I")
    move(other, other.address, one.address, "-I")
    forget_neighbours()
    try:
        yield
    finally:
        move(one, other.address, one.address, "-D")
        move(other, one.address, other.address, "-D")
        forget_neighbours()


@pytest.mark.full
def test_after_two_hosts_have_swapped_addresses_no_wrong_engine_answers(steady: Fleet) -> None:
    fleet = steady
    one, other, caller = fleet.apps
    with load_on(fleet, caller) as calls:
        with swapped(one, other, (caller, fleet.registry)):
            began = time.time()
            time.sleep(OUT_OF_ROTATION_S + 5)
            ended = time.time()
        wait_until(lambda: is_whole(fleet), "each has its own address again")
        back_at = time.time()
        calls.wait_for(len(calls.requests) + 200)
    own = endpoint(caller, 1080)
    meanwhile = [r for r in calls.requests if began < r.sent_at < ended and r.engine != own]
    assert any(r.engine for r in meanwhile), "no engine was taken for another: this proves nothing"
    assert [r for r in meanwhile if r.sent_at > began + OUT_OF_ROTATION_S] == []
    assert {r.engine for r in calls.requests if r.sent_at > back_at} == fleet.engines


@pytest.mark.full
def test_a_registry_that_is_gone_for_good_is_replaced_at_another_address(steady: Fleet) -> None:
    """The proxies turn to the new one first, and keep the engines that they know."""
    fleet, heir = steady, steady.apps[0]
    others = [host for host in fleet.apps if host is not heir]
    moved = fleet.checkout.inventory(
        [Listed(heir, groups=["registry", "engine", "proxy", "sdk"]), *others],
        base_image=fleet.lab.base_image(),
    )
    try:
        with load_on(fleet) as calls:
            fleet.registry.run("docker stop zookeeper")
            for deploy in ("deploy/proxy.py", "deploy/soa.py"):
                run = fleet.checkout.run(moved, "-y", deploy=deploy)
                assert run.exit_code == 0, run.output
            calls.wait_for(len(calls.requests) + 200)
        calls.assert_none_lost(fleet.apps, LOGS)
        assert all_up(fleet)
        with registry(heir) as client:
            assert set(client.get_children(ENGINES)) == fleet.engines
    finally:
        heir.run("docker rm -f zookeeper osp-sdk")
        fleet.registry.run("docker start zookeeper")
        for deploy in ("deploy/proxy.py", "deploy/soa.py"):
            run = fleet.checkout.run(fleet.inventory, "-y", deploy=deploy)
            assert run.exit_code == 0, run.output
