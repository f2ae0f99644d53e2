"""The configuration and the runtime API's commands, obeyed by a real HAProxy."""

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from osp_common.registry import Layout
from osp_common.settings import Endpoint
from osp_proxy import haproxy_config, haproxy_process, reconcile, runtime_api
from osp_proxy.settings import Settings

from tests.reference.fake_engine import FakeEngine, answer, answer_late, break_off
from tests.reference.processes import eventually, fetch, free_port

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="HAProxy is not installed")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    export = Endpoint("127.0.0.1", free_port())
    return Settings(
        export=export,
        listen=[export],
        status_listen=[],
        services={"sayhello": Layout.of("sayhello")},
        health_check="/healthz",
        retries=2,
        registry_hosts="",
        session_timeout_s=6,
        stop_grace_s=5,
        logs=tmp_path,
        data=tmp_path,
    )


@contextlib.contextmanager
def haproxy(settings: Settings, *engines: FakeEngine, name: str = "1") -> Iterator[Path]:
    path = settings.data / f"haproxy-{name}.sock"
    known = {"sayhello": frozenset(engine.address for engine in engines)}
    config = haproxy_config.render(settings, path, known)
    process = haproxy_process.start(config, path, lambda _lines: None)
    try:
        yield path
    finally:
        haproxy_process.stop(process, time.monotonic() + 3)


def reconcile_once(path: Path, *wanted: FakeEngine) -> list[str]:
    names = frozenset(engine.address for engine in wanted)
    commands = reconcile.plan("sayhello", names, runtime_api.servers(path, "sayhello"))
    return [runtime_api.execute(path, command) for command in commands]


def names(path: Path) -> set[str]:
    return {server.name for server in runtime_api.servers(path, "sayhello")}


def test_a_service_by_its_path(settings: Settings) -> None:
    engine = FakeEngine(answer)
    with haproxy(settings, engine):
        assert fetch(str(settings.export), "/sayhello?name=x")[0] == 200
        assert fetch(str(settings.export), "/sayhello/more")[0] == 200
        assert fetch(str(settings.export), "/sayhellox")[0] == 404
        assert fetch(str(settings.export), "/")[0] == 404


def test_no_engine_is_said_clearly(settings: Settings) -> None:
    with haproxy(settings):
        assert fetch(str(settings.export), "/sayhello") == (503, {"error": "no engine answers"})


def test_engines_come_and_go_without_a_restart(settings: Settings) -> None:
    first, second = FakeEngine(answer), FakeEngine(answer)
    with haproxy(settings, first) as path:
        assert reconcile_once(path, first, second)[0] == "New server registered."
        for _ in range(4):
            assert fetch(str(settings.export), "/sayhello")[0] == 200
        assert (len(first.requests), len(second.requests)) == (2, 2)

        reconcile_once(path, second)
        assert reconcile_once(path, second) == ["Server deleted."]
        assert names(path) == {second.address}
        assert fetch(str(settings.export), "/sayhello")[0] == 200
        assert len(second.requests) == 3


def test_a_leaving_engine_finishes_what_is_in_flight(settings: Settings) -> None:
    slow, other = FakeEngine(answer_late), FakeEngine(answer)
    replies = []
    with haproxy(settings, slow) as path:
        caller = threading.Thread(
            target=lambda: replies.append(fetch(str(settings.export), "/sayhello"))
        )
        caller.start()
        eventually(lambda: slow.requests)
        reconcile_once(path, other)
        assert reconcile_once(path, other) == []
        (leaving,) = [s for s in runtime_api.servers(path, "sayhello") if s.name == slow.address]
        assert (leaving.state, leaving.in_flight) == ("draining", 1)
        assert fetch(str(settings.export), "/sayhello")[0] == 200
        assert len(other.requests) == 1
        caller.join(5)
        assert replies[0][0] == 200
        eventually(lambda: reconcile_once(path, other) == ["Server deleted."])


def test_an_engine_that_returns_while_it_leaves_is_used_again(settings: Settings) -> None:
    engine = FakeEngine(answer)
    with haproxy(settings, engine) as path:
        reconcile_once(path)
        assert fetch(str(settings.export), "/sayhello")[0] == 503
        reconcile_once(path, engine)
        assert eventually(lambda: fetch(str(settings.export), "/sayhello")[0] == 200)


def states(path: Path) -> dict[str, str]:
    return {server.name: server.state for server in runtime_api.servers(path, "sayhello")}


def failed(path: Path) -> set[str]:
    servers = runtime_api.servers(path, "sayhello")
    return {server.name for server in servers if server.has_failed}


def test_an_engine_that_is_another_gets_no_traffic(settings: Settings) -> None:
    """Two hosts swapped their addresses; one engine was known at the start, one came later."""
    first, second, third = (FakeEngine(answer) for _ in range(3))
    with haproxy(settings, first, third) as path:
        reconcile_once(path, first, second, third)
        everyone = {first.address, second.address, third.address}
        eventually(lambda: states(path) == dict.fromkeys(everyone, "up"))
        first.identity, second.identity = second.identity, first.identity
        swapped_at = time.monotonic()
        eventually(lambda: failed(path) == {first.address, second.address})
        assert time.monotonic() - swapped_at < 3
        assert [status_of(settings, "GET", None) for _ in range(3)] == [200] * 3
        assert len(third.requests) == 3


def test_ipv6(settings: Settings) -> None:
    export = Endpoint("::1", settings.export.port)
    first, second = FakeEngine(answer, "::1"), FakeEngine(answer, "::1")
    with haproxy(replace(settings, export=export, listen=[export]), first) as path:
        reconcile_once(path, first, second)
        eventually(lambda: states(path) == {first.address: "up", second.address: "up"})
        assert [fetch(str(export), "/sayhello")[0] for _ in range(4)] == [200] * 4
        assert (len(first.requests), len(second.requests)) == (2, 2)
        reconcile_once(path, second)
        assert reconcile_once(path, second) == ["Server deleted."]
        assert names(path) == {second.address}


def test_an_ipv6_address_behind_a_published_port(settings: Settings) -> None:
    """Docker may lead it to the container's IPv4 address."""
    listen = Endpoint("::", settings.export.port)
    with haproxy(replace(settings, listen=[listen]), FakeEngine(answer)):
        assert fetch(f"127.0.0.1:{listen.port}", "/sayhello")[0] == 200
        assert fetch(f"[::1]:{listen.port}", "/sayhello")[0] == 200


def test_checks_of_the_connection_alone(settings: Settings) -> None:
    engine, dead = FakeEngine(answer), FakeEngine(answer)
    engine.identity = "nobody"
    dead.close()
    with haproxy(replace(settings, health_check="tcp"), engine, dead) as path:
        eventually(lambda: states(path) == {engine.address: "up", dead.address: "down"})


@pytest.mark.parametrize(
    ("retries", "method", "status", "sent"),
    [
        pytest.param(2, "GET", 200, 2, id="a GET is sent again, elsewhere"),
        pytest.param(2, "POST", 502, 1, id="a POST never"),
        pytest.param(0, "GET", 502, 1, id="without retries nothing is"),
        pytest.param(0, "POST", 502, 1, id="nor a POST"),
    ],
)
def test_sending_again(
    settings: Settings, retries: int, method: str, status: int, sent: int
) -> None:
    engines = FakeEngine(break_off), FakeEngine(answer)
    body = "{}" if method == "POST" else None
    with haproxy(replace(settings, retries=retries), *engines):
        before = 0
        while not engines[0].requests:
            before = len(engines[1].requests)
            found = status_of(settings, method, body)
        assert found == status
        assert len(engines[0].requests) + len(engines[1].requests) - before == sent


def test_never_sent_more_often_than_retries_allow(settings: Settings) -> None:
    engines = FakeEngine(break_off), FakeEngine(break_off), FakeEngine(break_off)
    with haproxy(replace(settings, retries=1), *engines):
        status_of(settings, "GET", None)
        assert sum(len(engine.requests) for engine in engines) == 2


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_cannot_be_made_is_tried_elsewhere(
    settings: Settings, retries: int, method: str
) -> None:
    dead, live = FakeEngine(answer), FakeEngine(answer)
    with haproxy(replace(settings, retries=retries), dead, live):
        dead.close()
        for _ in range(6):
            assert status_of(settings, method, "{}" if method == "POST" else None) == 200
        assert len(live.requests) == 6


def test_a_successor_takes_the_listeners_over(settings: Settings) -> None:
    engine = FakeEngine(answer)
    failures, calls = [], 0
    stop = threading.Event()

    def call() -> None:
        nonlocal calls
        while not stop.is_set():
            calls += 1
            if status_of(settings, "POST", "{}") != 200:
                failures.append(calls)

    caller = threading.Thread(target=call, daemon=True)
    with contextlib.ExitStack() as successors:
        successors.callback(stop.set)
        with haproxy(settings, engine, name="1"):
            caller.start()
            successors.enter_context(haproxy(settings, engine, name="2"))
            assert listeners(settings.export.port) == 1
            time.sleep(0.3)
        time.sleep(0.3)
        stop.set()
        caller.join(5)
        assert haproxy_process.predecessor(settings.data) == settings.data / "haproxy-2.sock"
    assert calls > 20
    assert failures == []


def status_of(settings: Settings, method: str, body: str | None) -> int:
    """Return the status of a request that was sent in one piece; 0 if there was no answer.

    Only a request that has come whole can be sent again.
    """
    text = body or ""
    request = f"{method} /sayhello HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    with contextlib.suppress(OSError), socket.socket() as connection:
        connection.settimeout(10)
        connection.connect((settings.export.ip, settings.export.port))
        connection.sendall(request.encode())
        return int(connection.recv(65536).split()[1])
    return 0


def listeners(port: int) -> int:
    """Return how many sockets of this machine listen on `port` (`/proc/net/tcp`: 0A is LISTEN)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
