"""Engine and agent with a registry in memory, each run whole: marks, and who vanishes at once."""

import dataclasses
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from osp_common import registry as registry_module
from osp_proxy import agent as agent_module
from osp_proxy.agent import Agent
from osp_proxy.settings import Settings as ProxySettings
from sayhello_engine import __main__ as engine_module
from sayhello_engine.__main__ import Engine
from sayhello_engine.settings import Settings as EngineSettings

from tests.reference.fake_engine import FakeEngine, answer, answer_late
from tests.reference.fake_registry import FakeRegistry, Node
from tests.reference.processes import eventually, fetch, free_port

FOLDER = "/osp/services/sayhello/engines"
DRAIN = "/osp/drain"


def environ_of(folder: Path, **variables: str) -> dict[str, str]:
    return {
        "EXPORT_IP": "127.0.0.1",
        "EXPORT_PORT": str(free_port()),
        "OSP_STATUS_PORT": str(free_port()),
        "VIP_CFGCENTER_ZK_CONNECTION": "zk-1:2181",
        "OSP_LOGS_DIR": str(folder),
        "OSP_DATA_DIR": str(folder),
        "STOP_GRACE_S": "2",
        **variables,
    }


@dataclasses.dataclass
class RunningEngine:
    address: str
    thread: threading.Thread

    def status(self) -> dict[str, Any]:
        return fetch(self.address, "/status")[1]

    def send(self, number: signal.Signals) -> None:
        assert self.thread.ident is not None
        signal.pthread_kill(self.thread.ident, number)


@pytest.fixture
def start_engine(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], RunningEngine]]:
    monkeypatch.setattr(engine_module, "QUIET_S", 0.1)
    numbers = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    engines: list[RunningEngine] = []

    def start() -> RunningEngine:
        settings = EngineSettings.read(environ_of(tmp_path, DRAIN_LEASE_S="60"))
        thread = threading.Thread(target=Engine(settings).run, daemon=True)
        thread.start()
        engines.append(RunningEngine(str(settings.export), thread))
        return engines[-1]

    yield start
    for engine in engines:
        engine.send(signal.SIGTERM)
        engine.thread.join(5)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def mark(registry: FakeRegistry, address: str) -> None:
    with registry.lock:
        registry.nodes.setdefault(DRAIN, Node(b"", None))
    registry.put(f"{DRAIN}/{address}", b"{}", owner=999)


def unmark(registry: FakeRegistry, address: str) -> None:
    registry.remove(f"{DRAIN}/{address}")


def is_registered(registry: FakeRegistry, engine: RunningEngine) -> bool:
    return f"{FOLDER}/{engine.address}" in registry.nodes


def stays(condition: Callable[[], object], for_s: float = 0.3) -> None:
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert condition()
        time.sleep(0.01)


def test_a_mark_drains_an_engine_for_as_long_as_it_stands(
    registry: FakeRegistry, start_engine: Callable[[], RunningEngine]
) -> None:
    engine = start_engine()
    eventually(lambda: is_registered(registry, engine))
    mark(registry, engine.address)
    eventually(lambda: not is_registered(registry, engine))
    assert fetch(engine.address, "/sayhello")[0] == 200
    status = engine.status()
    assert (status["draining"], status["marked"], status["drain_ends_in_s"]) == (True, True, None)
    stays(lambda: not is_registered(registry, engine))
    registry.expire(999)
    eventually(lambda: is_registered(registry, engine))
    assert engine.status()["draining"] is False


def test_a_mark_with_a_time_is_over_by_itself(
    registry: FakeRegistry, start_engine: Callable[[], RunningEngine]
) -> None:
    engine = start_engine()
    eventually(lambda: is_registered(registry, engine))
    mark(registry, f"{engine.address}@{int(time.time()) + 2}")
    eventually(lambda: not is_registered(registry, engine))
    eventually(lambda: is_registered(registry, engine))
    assert engine.status()["draining"] is False
    mark(registry, f"{engine.address}@soon")
    stays(lambda: is_registered(registry, engine))


def test_a_mark_for_another_is_none_of_its_business(
    registry: FakeRegistry, start_engine: Callable[[], RunningEngine]
) -> None:
    engine = start_engine()
    eventually(lambda: is_registered(registry, engine))
    mark(registry, "198.18.0.11:1080")
    stays(lambda: is_registered(registry, engine))


def test_it_is_drained_while_a_signal_or_a_mark_asks_for_it(
    registry: FakeRegistry, start_engine: Callable[[], RunningEngine]
) -> None:
    engine = start_engine()
    eventually(lambda: is_registered(registry, engine))
    engine.send(signal.SIGUSR1)
    eventually(lambda: not is_registered(registry, engine))
    mark(registry, engine.address)
    eventually(lambda: engine.status()["marked"])
    engine.send(signal.SIGUSR2)
    eventually(lambda: engine.status()["drain_ends_in_s"] is None)
    stays(lambda: not is_registered(registry, engine))
    engine.send(signal.SIGUSR1)
    eventually(lambda: engine.status()["drain_ends_in_s"])
    unmark(registry, engine.address)
    eventually(lambda: not engine.status()["marked"])
    stays(lambda: engine.status()["draining"])
    engine.send(signal.SIGUSR2)
    eventually(lambda: is_registered(registry, engine))


def test_a_registry_that_is_away_ends_no_drain(
    registry: FakeRegistry, start_engine: Callable[[], RunningEngine]
) -> None:
    engine = start_engine()
    mark(registry, engine.address)
    eventually(lambda: engine.status()["marked"])
    registry.is_up = False
    stays(lambda: engine.status()["draining"])


def test_an_engine_that_starts_while_its_mark_stands_waits(
    registry: FakeRegistry,
    start_engine: Callable[[], RunningEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setattr("tests.reference.test_drain.free_port", lambda: port)
    mark(registry, f"127.0.0.1:{port}")
    engine = start_engine()
    stays(lambda: not is_registered(registry, engine))
    assert fetch(engine.address, "/healthz")[0] == 200
    unmark(registry, engine.address)
    eventually(lambda: is_registered(registry, engine))


def test_it_does_not_register_before_it_knows_of_marks(
    registry: FakeRegistry,
    start_engine: Callable[[], RunningEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Callable[[object], None]] = []
    monkeypatch.setattr(engine_module, "MemberWatch", lambda *given: told.append(given[-1]))
    engine = start_engine()
    eventually(lambda: told)
    told[0](None)
    stays(lambda: not is_registered(registry, engine))
    monkeypatch.setattr(engine_module, "FIRST_READING_TIMEOUT_S", 0.1)
    told[0](None)
    eventually(lambda: is_registered(registry, engine))


def test_the_health_check_tells_who_is_there(start_engine: Callable[[], RunningEngine]) -> None:
    engine = start_engine()
    assert fetch(engine.address, "/healthz")[0] == 200
    assert fetch(engine.address, f"/healthz?engine={engine.address}")[0] == 200
    status, content = fetch(engine.address, "/healthz?engine=198.18.0.11%3A1080")
    assert (status, content["engine"]) == (421, engine.address)


@dataclasses.dataclass
class RunningProxy:
    agent: Agent
    settings: ProxySettings

    def status(self) -> dict[str, Any]:
        return self.agent.status()

    def service(self) -> dict[str, Any]:
        return self.status()["services"]["sayhello"]

    def engines(self) -> dict[str, tuple[str, bool, bool]]:
        """Return state, registered, drained of each."""
        return {
            engine["address"]: (engine["state"], engine["registered"], engine["drained"])
            for engine in self.service()["engines"]
        }

    def call(self) -> int:
        return fetch(str(self.settings.export), "/sayhello")[0]


@pytest.fixture
def start_proxy(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., RunningProxy]]:
    monkeypatch.setattr(agent_module, "QUIET_S", 0.1)
    running: list[tuple[Agent, threading.Thread]] = []

    def start(**variables: str) -> RunningProxy:
        settings = ProxySettings.read(environ_of(tmp_path, **variables))
        agent = Agent(settings)
        thread = threading.Thread(target=agent.run)
        thread.start()
        running.append((agent, thread))
        proxy = RunningProxy(agent, settings)
        eventually(lambda: proxy.status()["registered"])
        return proxy

    yield start
    for agent, _ in running:
        agent.stop()
    for _, thread in running:
        thread.join(10)


def register(registry: FakeRegistry, *engines: FakeEngine) -> None:
    registry.put(FOLDER, b"")
    for engine in engines:
        registry.put(f"{FOLDER}/{engine.address}", b"{}", owner=998)


UP = ("up", True, False)


def test_a_marked_engine_gets_no_new_request_though_it_stays_registered(
    registry: FakeRegistry, start_proxy: Callable[..., RunningProxy]
) -> None:
    slow, other = FakeEngine(answer_late), FakeEngine(answer)
    register(registry, slow)
    proxy = start_proxy()
    eventually(lambda: proxy.engines() == {slow.address: UP})
    statuses: list[int] = []
    caller = threading.Thread(target=lambda: statuses.append(proxy.call()))
    caller.start()
    eventually(lambda: slow.requests)
    register(registry, slow, other)
    eventually(lambda: proxy.engines().get(other.address) == UP)
    mark(registry, slow.address)
    eventually(lambda: proxy.engines()[slow.address] == ("draining", True, True))
    assert [proxy.call() for _ in range(4)] == [200] * 4
    assert len(other.requests) == 4
    caller.join(5)
    assert statuses == [200]
    eventually(lambda: proxy.engines() == {other.address: UP})
    unmark(registry, slow.address)
    eventually(lambda: proxy.engines() == {slow.address: UP, other.address: UP})


def test_a_marked_proxy_leaves_the_registry_and_serves_on(
    registry: FakeRegistry, start_proxy: Callable[..., RunningProxy]
) -> None:
    engine = FakeEngine(answer)
    register(registry, engine)
    proxy = start_proxy()
    node = f"/osp/proxies/{proxy.settings.export}"
    eventually(lambda: proxy.engines() == {engine.address: UP})
    mark(registry, str(proxy.settings.export))
    eventually(lambda: node not in registry.nodes)
    assert proxy.status()["marked"]
    assert proxy.call() == 200
    stays(lambda: node not in registry.nodes)
    unmark(registry, str(proxy.settings.export))
    eventually(lambda: node in registry.nodes)
    assert not proxy.status()["marked"]


def test_an_engines_mark_is_over_at_its_time_for_the_proxy_too(
    registry: FakeRegistry, start_proxy: Callable[..., RunningProxy]
) -> None:
    away, other = FakeEngine(answer), FakeEngine(answer)
    register(registry, away, other)
    proxy = start_proxy()
    eventually(lambda: len(proxy.engines()) == 2)
    mark(registry, f"{away.address}@{int(time.time()) + 2}")
    eventually(lambda: proxy.engines() == {other.address: UP})
    eventually(lambda: proxy.engines() == {away.address: UP, other.address: UP})


def test_where_all_are_marked_all_serve(
    registry: FakeRegistry, start_proxy: Callable[..., RunningProxy]
) -> None:
    engine = FakeEngine(answer)
    register(registry, engine)
    proxy = start_proxy()
    eventually(lambda: proxy.engines() == {engine.address: UP})
    mark(registry, engine.address)
    eventually(lambda: proxy.engines() == {engine.address: ("up", True, True)})
    assert proxy.call() == 200


def test_most_engines_that_vanish_at_once_stay_until_their_health_checks_fail(
    registry: FakeRegistry,
    start_proxy: Callable[..., RunningProxy],
    caplog: pytest.LogCaptureFixture,
) -> None:
    engines = [FakeEngine(answer) for _ in range(3)]
    register(registry, *engines)
    proxy = start_proxy()
    assert proxy.service()["alarm"] is None
    eventually(lambda: list(proxy.engines().values()) == [UP] * 3)
    for engine in engines[1:]:
        registry.remove(f"{FOLDER}/{engine.address}")
    eventually(lambda: (proxy.service()["alarm"] or "").startswith("2 of 3 engines left"))
    alarm = ("osp.proxy", logging.WARNING, f"sayhello: {proxy.service()['alarm']}")
    eventually(lambda: alarm in caplog.record_tuples)
    eventually(lambda: sorted(proxy.engines().values()) == [("up", False, False)] * 2 + [UP])
    engines[1].close()
    eventually(lambda: len(proxy.engines()) == 2)
    assert engines[2].address in proxy.engines()
    register(registry, engines[0], engines[2])
    eventually(lambda: proxy.service()["alarm"] is None)
    assert proxy.call() == 200


def test_engines_of_another_layout_with_no_health_endpoint(
    registry: FakeRegistry, start_proxy: Callable[..., RunningProxy]
) -> None:
    engine = FakeEngine(answer)
    folder = "/services/hello/providers"
    registry.put(folder, b"")
    registry.put(f"{folder}/{engine.address.replace(':', '_')}", b"")
    proxy = start_proxy(
        OSP_SERVICES=f"sayhello={folder}/{{address}}_{{port}}", OSP_HEALTH_CHECK="tcp"
    )
    eventually(lambda: proxy.engines() == {engine.address: UP})
    eventually(lambda: proxy.call() == 200)
    mark(registry, engine.address)
    eventually(lambda: proxy.engines() == {engine.address: ("up", True, True)})


def test_haproxy_is_told_at_once(
    registry: FakeRegistry,
    start_proxy: Callable[..., RunningProxy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither intervals nor the disk are waited for."""
    first, second = FakeEngine(answer), FakeEngine(answer)
    register(registry, first)
    proxy = start_proxy()
    eventually(lambda: proxy.engines() == {first.address: UP})
    monkeypatch.setattr(registry_module, "VERIFY_INTERVAL_S", 30.0)
    monkeypatch.setattr(agent_module, "RECONCILE_INTERVAL_S", 30.0)
    monkeypatch.setattr(agent_module.last_known, "save", lambda *_: time.sleep(2))
    time.sleep(1.2)
    register(registry, second)
    began_at = time.monotonic()
    while second.address not in proxy.engines():
        assert time.monotonic() - began_at < 1.5
        time.sleep(0.002)
