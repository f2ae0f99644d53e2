"""The sdk against real servers on the loopback: fail-over, time limits, and its command."""

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from osp_common.settings import Endpoint
from osp_sdk import CallFailed, CallRefused, CallTimeout, Client, NoProxyAvailable
from osp_sdk.proxies import Rotation
from osp_sdk.summary import percentile

from tests.reference.fake_registry import FakeRegistry
from tests.reference.processes import FILES, eventually, free_port, script_environ

Behaviour = Callable[[socket.socket], None]


def reply_with(status: str, body: bytes = b'{"engine": "e-1"}') -> Behaviour:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


def break_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def stay_silent(_connection: socket.socket) -> None:
    time.sleep(2)


def drip(connection: socket.socket) -> None:
    """Send a byte now and then, so that no single read ever takes long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _ in range(20):
        connection.sendall(b" ")
        time.sleep(0.1)


class FakeProxy:
    """Keeps the requests' first lines and bodies, and treats each as `behave` does."""

    def __init__(self, behave: Behaviour, ip: str = "127.0.0.1") -> None:
        self.requests: list[str] = []
        self.bodies: list[str] = []
        self._behave = behave
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self._listener = socket.create_server((ip, 0), family=family)
        self.address = str(Endpoint(ip, self._listener.getsockname()[1]))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head, _, body = connection.recv(65536).decode().partition("\r\n\r\n")
            self.requests.append(head.split("\r\n")[0])
            self.bodies.append(body)
            try:
                self._behave(connection)
            except OSError:
                return


@pytest.fixture
def good() -> Iterator[FakeProxy]:
    proxy = FakeProxy(reply_with("200 OK"))
    yield proxy
    proxy.close()


def client_of(*proxies: FakeProxy | str, **options: float) -> Client:
    addresses = [proxy if isinstance(proxy, str) else proxy.address for proxy in proxies]
    return Client("sayhello", proxies=addresses, **{"timeout_s": 5.0} | options)


def call_until_asked(client: Client, proxy: FakeProxy, method: str = "GET") -> object:
    """Call until the turn is `proxy`'s, and return what came of that call."""
    while not proxy.requests:
        try:
            outcome: object = client.call(method)
        except Exception as error:
            outcome = error
    return outcome


def test_a_reply_tells_who_gave_it(good: FakeProxy) -> None:
    reply = client_of(good).call(name="a b&c")
    assert (reply.json, reply.engine) == ({"engine": "e-1"}, "e-1")
    assert (reply.proxy, reply.attempts) == (good.address, 1)
    assert good.requests == ["GET /sayhello?name=a+b%26c HTTP/1.1"]


def test_a_proxy_at_an_ipv6_address(tmp_path: Path) -> None:
    proxy = FakeProxy(reply_with("200 OK"), "::1")
    assert client_of(proxy).call().proxy == proxy.address
    assert osp_sdk(tmp_path, "call", "s", OSP_PROXIES=proxy.address).returncode == 0


def test_post_sends_json(good: FakeProxy) -> None:
    client_of(good).call("POST", name="ü")
    assert good.requests == ["POST /sayhello HTTP/1.1"]
    assert json.loads(good.bodies[0]) == {"name": "ü"}


def test_callers_rotate_over_all_proxies(good: FakeProxy) -> None:
    others = [FakeProxy(reply_with("200 OK")) for _ in range(2)]
    client = client_of(good, *others)
    for _ in range(6):
        client.call()
    assert [len(proxy.requests) for proxy in (good, *others)] == [2, 2, 2]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dead_proxy_is_passed_over_whatever_the_method(good: FakeProxy, method: str) -> None:
    client = client_of(f"127.0.0.1:{free_port()}", good, retries=0)
    attempts = Counter(client.call(method).attempts for _ in range(8))
    assert attempts[2] <= 1, "a proxy that just failed comes last"
    assert len(good.requests) == 8


@pytest.mark.parametrize("failing", [break_off, reply_with("503 No", b"{}")])
def test_a_get_that_failed_is_sent_elsewhere(good: FakeProxy, failing: Behaviour) -> None:
    bad = FakeProxy(failing)
    outcome = call_until_asked(client_of(good, bad), bad)
    assert getattr(outcome, "proxy", None) == good.address
    assert len(bad.requests) == 1


def test_a_post_that_was_sent_is_not_sent_again(good: FakeProxy) -> None:
    bad = FakeProxy(break_off)
    outcome = call_until_asked(client_of(good, bad), bad, "POST")
    assert isinstance(outcome, CallFailed)
    assert outcome.proxy == bad.address


def test_without_retries_a_get_is_not_sent_again(good: FakeProxy) -> None:
    bad = FakeProxy(break_off)
    assert isinstance(call_until_asked(client_of(good, bad, retries=0), bad), CallFailed)


def test_a_request_that_is_wrong_is_wrong_everywhere(good: FakeProxy) -> None:
    bad = FakeProxy(reply_with("404 Not Found", b"no such service"))
    outcome = call_until_asked(client_of(good, bad), bad)
    assert isinstance(outcome, CallRefused)
    assert (outcome.status, outcome.kind) == (404, "http-404")
    assert "no such service" in str(outcome)


@pytest.mark.parametrize("slow", [stay_silent, drip])
def test_the_limit_holds_for_the_whole_call(slow: Behaviour) -> None:
    client = client_of(FakeProxy(slow), FakeProxy(slow), timeout_s=1.0)
    began_at = time.monotonic()
    with pytest.raises(CallTimeout):
        client.call()
    assert 0.9 < time.monotonic() - began_at < 1.9


def test_no_proxy_at_all() -> None:
    with pytest.raises(NoProxyAvailable, match="refused"):
        client_of(f"127.0.0.1:{free_port()}").call()


def test_a_reply_that_is_not_json() -> None:
    with pytest.raises(CallFailed, match="not JSON"):
        client_of(FakeProxy(reply_with("200 OK", b"<html>"))).call()


@pytest.mark.parametrize("options", [{}, {"registry": "zk-1:2181", "proxies": ["127.0.0.1:1"]}])
def test_a_client_needs_one_way_to_find_proxies(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="either"):
        Client("sayhello", **options)  # type: ignore[arg-type]


def test_proxies_come_from_the_registry(registry: FakeRegistry, good: FakeProxy) -> None:
    registry.put("/osp/proxies", b"")
    registry.put(f"/osp/proxies/{good.address}", b"{}")
    with Client("sayhello", registry="zk-1:2181") as client:
        assert client.proxies() == [good.address]
        assert client.call().proxy == good.address
        other = FakeProxy(reply_with("200 OK"))
        registry.put(f"/osp/proxies/{other.address}", b"{}")
        eventually(lambda: set(client.proxies()) == {good.address, other.address})


def test_the_last_known_proxies_outlive_the_registry_and_a_restart(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    known_file = tmp_path / "proxies.json"
    registry.put("/osp/proxies", b"")
    registry.put("/osp/proxies/127.0.0.1:2080", b"{}")
    with Client("sayhello", registry="zk-1:2181", known_file=known_file) as client:
        assert client.proxies() == ["127.0.0.1:2080"]
        registry.remove("/osp/proxies/127.0.0.1:2080")
        time.sleep(0.2)
        assert client.proxies() == ["127.0.0.1:2080"]
    registry.is_up = False
    with Client("sayhello", registry="zk-1:2181", known_file=known_file, timeout_s=0.2) as client:
        assert client.proxies() == ["127.0.0.1:2080"]


def test_a_suspect_comes_last() -> None:
    rotation = Rotation()
    rotation.suspect("b")
    assert [rotation.order("abc")[-1] for _ in range(3)] == ["b", "b", "b"]
    assert rotation.order([]) == []


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([3.0], 99, 3.0), ([4.0, 1.0, 2.0, 3.0], 50, 2.0), ([1.0, 2.0], 100, 2.0)],
)
def test_percentile(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected


def osp_sdk(
    tmp_path: Path, *arguments: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    environ = script_environ(OSP_DATA_DIR=str(tmp_path), OSP_LOGS_DIR=str(tmp_path), **variables)
    return subprocess.run(
        [FILES / "osp-sdk/bin/osp-sdk", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_command_prints_a_line_a_call_and_a_summary(tmp_path: Path, good: FakeProxy) -> None:
    result = osp_sdk(
        tmp_path, "call", "sayhello", "method=x", "--count", "3", OSP_PROXIES=good.address
    )
    lines = result.stdout.splitlines()
    assert result.returncode == 0
    assert all(f"proxy={good.address}" in line for line in lines[:3])
    assert json.loads("".join(lines[3:]))["calls"] == 3
    assert good.requests[0] == "GET /sayhello?method=x HTTP/1.1"


def test_the_command_counts_errors_and_says_so(tmp_path: Path) -> None:
    bad = FakeProxy(reply_with("500 Oops", b"{}"))
    result = osp_sdk(tmp_path, "call", "s", "--count", "2", "--json", "--proxies", bad.address)
    summary = json.loads(result.stdout)
    assert result.returncode == 1
    assert (summary["calls"], summary["errors"]) == (2, 2)
    assert summary["errors_by_kind"] == {"http-500": 2}
    assert summary["p50_ms"] is None


def test_the_command_keeps_a_rate(tmp_path: Path, good: FakeProxy) -> None:
    began_at = time.monotonic()
    osp_sdk(tmp_path, "call", "s", "--count", "6", "--rate", "10", "--proxies", good.address)
    assert time.monotonic() - began_at > 0.5


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["call", "sayhello"], {}, "VIP_CFGCENTER_ZK_CONNECTION is not set"),
        (["proxies", "--proxies", "web-1"], {}, "--proxies is 'web-1'"),
    ],
)
def test_the_command_names_what_it_needs(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], named: str
) -> None:
    result = osp_sdk(tmp_path, *arguments, **variables)
    assert result.returncode == 64
    assert named in result.stderr and result.stderr.count("\n") == 1


def test_the_container_stops_at_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [FILES / "osp-sdk/bin/osp-sdk-default.sh", "start"],
        env=script_environ(OSP_LOGS_DIR=str(tmp_path)),
        stdout=subprocess.DEVNULL,
    )
    log = tmp_path / "events.log"
    eventually(lambda: "ready" in log.read_text())
    process.terminate()
    assert process.wait(2) == 0
