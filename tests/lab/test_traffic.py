"""What callers notice when something happens to a fleet: 50 calls a second, each tried once.

Nobody repeats a call here, neither the sdk nor the proxies: every request that the fleet drops is
counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from tests.lab.conftest import Fleet
from tests.lab.reading import (
    ENGINES,
    PROXIES,
    answering,
    containers,
    get,
    registered,
    registry,
    up,
    wait_until,
)
from tests.lab.traffic import traffic

ENGINE = "sayhello-service-engine"
SLOW_CALLS, SLOW_MS = 12, 4000
DYING_S = 0.1
"""How long a killed process may still take connections, as this machine sees it when it is busy."""


def all_up(fleet: Fleet) -> bool:
    """Whether every proxy lists every engine as up."""
    return all(up(host) == fleet.engines for host in fleet.apps)


def is_registered(fleet: Fleet) -> bool:
    try:
        return registered(fleet.registry) == {ENGINES: fleet.engines, PROXIES: fleet.proxies}
    except (KazooException, KazooTimeoutError):
        return False


@contextmanager
def slow_calls(fleet: Fleet) -> Iterator[list[Future[str]]]:
    """Have requests in flight, spread over all proxies, each on an engine for seconds."""

    def call(number: int) -> str:
        proxy = fleet.apps[number % len(fleet.apps)]
        answer = get(proxy, 2080, f"/sayhello?delay_ms={SLOW_MS}", timeout_s=30)
        return str(answer["engine"])

    with ThreadPoolExecutor(SLOW_CALLS) as pool:
        yield [pool.submit(call, number) for number in range(SLOW_CALLS)]


@contextmanager
def registrations(fleet: Fleet) -> Iterator[list[set[str]]]:
    """Watch the engines' nodes; every list that the registry held goes to what is yielded."""
    lists: list[set[str]] = []
    first = threading.Event()

    def note(names: list[str]) -> None:
        lists.append(set(names))
        first.set()

    with registry(fleet.registry) as client:
        client.ChildrenWatch(ENGINES, note)
        assert first.wait(10)
        yield lists


def test_a_killed_engine_costs_what_it_had_in_flight_and_comes_back(fleet: Fleet) -> None:
    victim = fleet.apps[1]
    name = f"{victim.address}:1080"
    wait_until(lambda: all_up(fleet), "all engines up")
    before = containers(victim)[ENGINE]
    pid = victim.run(f"docker inspect --format '{{{{.State.Pid}}}}' {ENGINE}").stdout.strip()
    with traffic(fleet.registry, fleet.registry) as calls, slow_calls(fleet) as slow:
        wait_until(lambda: get(victim, 1080, "/status")["in_flight"] >= 2, "some in flight", 3)
        in_flight = get(victim, 1080, "/status")["in_flight"]
        gone_at = float(victim.run(f"kill -9 {pid} && date +%s.%N").stdout)
        wait_until(lambda: containers(victim)[ENGINE].started_at != before.started_at, "it starts")
        wait_until(lambda: is_registered(fleet) and all_up(fleet), "it is registered and up")
        back_at = time.time()
        wait_until(lambda: calls.answered_by(name, since=back_at) > 20, "it is used again", 10)
    assert containers(victim)[ENGINE].id == before.id

    lost = [call for call in slow if call.exception()]
    assert 0 < len(lost) <= in_flight
    assert {call.result() for call in slow if call not in lost} == fleet.engines - {name}
    failed_after_s = [round(call.sent_at - gone_at, 3) for call in calls.failed]
    assert max(failed_after_s, default=0) < DYING_S, failed_after_s
    calls.assert_steady()


def test_a_restart_of_the_registry_costs_nothing(fleet: Fleet) -> None:
    engine = fleet.apps[0]
    with traffic(fleet.registry, fleet.registry) as calls:
        fleet.registry.run("docker restart zookeeper")
        wait_until(lambda: is_registered(fleet), "everybody is registered")
        # Nobody has lost the sight of changes.
        engine.run(f"docker kill --signal USR1 {ENGINE}")
        others = fleet.engines - {f"{engine.address}:1080"}
        wait_until(lambda: all(up(host) == others for host in fleet.apps), "one engine has left")
        engine.run(f"docker kill --signal USR2 {ENGINE}")
        wait_until(lambda: all_up(fleet), "it is back")
    assert calls.failed == []
    calls.assert_steady()


def test_all_of_a_rebooted_host_comes_back_by_itself(fleet: Fleet) -> None:
    host = fleet.apps[2]
    before = containers(host)
    leader = host.leader_pid
    assert leader
    host.run("systemctl reboot", check=False)
    host.wait_for_reboot(leader, timeout_s=90)
    wait_until(lambda: is_registered(fleet), "everybody is registered", 60)
    wait_until(lambda: all_up(fleet), "every proxy lists every engine as up", 60)
    assert set(answering(host)) == fleet.engines
    after = containers(host)
    assert {name: found.id for name, found in after.items()} == {
        name: found.id for name, found in before.items()
    }
    assert all(found.running for found in after.values())
    assert fleet.deploy().done == []
