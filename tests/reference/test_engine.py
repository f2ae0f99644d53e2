"""The engine as its container runs it: by its start script, told by signals."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.reference.processes import (
    FILES,
    eventually,
    fetch,
    free_port,
    script_environ,
    started,
)

SCRIPT = "sayhello-service-engine/bin/osp-default.sh"
HEALTHY = "sayhello-service-engine/bin/osp-healthy.sh"
NOWHERE = "127.0.0.1:1"


@dataclass
class Engine:
    address: str
    process: "subprocess.Popen[str]"
    logs: Path

    def status(self) -> dict[str, Any]:
        return fetch(self.address, "/status")[1]

    def in_background(self, target: str) -> "Answer":
        return Answer(self.address, target)


class Answer:
    """A request that is under way; `result()` waits for what comes of it."""

    def __init__(self, address: str, target: str) -> None:
        self._result: Any = None
        self._thread = threading.Thread(target=self._fetch, args=(address, target))
        self._thread.start()

    def _fetch(self, address: str, target: str) -> None:
        try:
            self._result = fetch(address, target)
        except OSError as error:
            self._result = error

    def result(self) -> Any:
        self._thread.join(10)
        return self._result


def environ_of(logs: Path, port: int, **variables: str) -> dict[str, str]:
    return script_environ(
        EXPORT_IP="127.0.0.1",
        EXPORT_PORT=str(port),
        VIP_CFGCENTER_ZK_CONNECTION=NOWHERE,
        OSP_LOGS_DIR=str(logs),
        DRAIN_LEASE_S="2",
        STOP_GRACE_S="3",
        **variables,
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    port = free_port()
    with started(SCRIPT, environ_of(tmp_path, port)) as process:
        engine = Engine(f"127.0.0.1:{port}", process, tmp_path)
        eventually(engine.status)
        yield engine


@pytest.mark.parametrize(
    ("target", "method", "body", "type_", "status", "message"),
    [
        ("/sayhello?name=Bob", "GET", None, "", 200, "Hello, Bob!"),
        ("/sayhello?name=a%26b%20%C3%BC", "GET", None, "", 200, "Hello, a&b ü!"),
        ("/sayhello", "GET", None, "", 200, "Hello, world!"),
        ("/sayhello", "POST", '{"name": "Eve"}', "application/json", 200, "Hello, Eve!"),
        ("/sayhello", "POST", "name=Eve", "application/x-www-form-urlencoded", 200, "Hello, Eve!"),
        ("/sayhello", "POST", "[1]", "application/json", 400, None),
        ("/sayhello?delay_ms=30001", "GET", None, "", 400, None),
        ("/sayhello?delay_ms=-1", "GET", None, "", 400, None),
        ("/sayhello?name=" + "x" * 201, "GET", None, "", 400, None),
        ("/other", "GET", None, "", 404, None),
        ("/other", "POST", "x", "", 404, None),
    ],
)
def test_it_says_hello(
    engine: Engine, target: str, method: str, body: str | None, type_: str, status: int, message
) -> None:
    found, content = fetch(engine.address, target, method, body, type_)
    assert found == status
    if message:
        assert content == {"message": message, "engine": engine.address, "served": 1}


def test_it_serves_though_the_registry_is_away(engine: Engine) -> None:
    status = engine.status()
    assert (status["address"], status["registered"]) == (engine.address, False)
    assert fetch(engine.address, "/healthz")[0] == 200


def test_a_drain_ends_when_its_lease_runs_out(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGUSR1)
    eventually(lambda: engine.status()["draining"])
    assert fetch(engine.address, "/healthz")[0] == 200
    assert fetch(engine.address, "/sayhello")[0] == 200
    eventually(lambda: not engine.status()["draining"])


def test_another_sigusr1_renews_the_lease(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGUSR1)
    time.sleep(1.2)
    engine.process.send_signal(signal.SIGUSR1)
    time.sleep(1.2)
    assert engine.status()["draining"]


def test_sigusr2_ends_a_drain(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGUSR1)
    eventually(lambda: engine.status()["draining"])
    engine.process.send_signal(signal.SIGUSR2)
    eventually(lambda: not engine.status()["draining"])


def test_requests_are_counted_while_they_are_in_flight(engine: Engine) -> None:
    answer = engine.in_background("/sayhello?delay_ms=300")
    eventually(lambda: engine.status()["in_flight"] == 1)
    assert answer.result()[0] == 200
    eventually(lambda: engine.status()["in_flight"] == 0)


def test_sigterm_lets_requests_finish_and_late_ones_come(engine: Engine) -> None:
    early = engine.in_background("/sayhello?delay_ms=1800")
    eventually(lambda: engine.status()["in_flight"] == 1)
    engine.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert fetch(engine.address, "/sayhello?name=late")[0] == 200
    assert early.result()[0] == 200
    assert engine.process.wait(5) == 0


def test_health_checks_do_not_hold_up_a_stop(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGTERM)
    stopped_at = time.monotonic()
    while engine.process.poll() is None:
        try:
            fetch(engine.address, "/healthz")
        except OSError:
            break
        time.sleep(0.05)
    engine.process.wait(5)
    assert time.monotonic() - stopped_at < 2.5


def test_the_grace_bounds_a_stop(engine: Engine) -> None:
    cut = engine.in_background("/sayhello?delay_ms=20000")
    eventually(lambda: engine.status()["in_flight"] == 1)
    engine.process.send_signal(signal.SIGTERM)
    stopped_at = time.monotonic()
    assert engine.process.wait(6) == 0
    assert 2.5 < time.monotonic() - stopped_at < 4.5
    assert isinstance(cut.result(), OSError)


def test_it_logs_requests_and_events(engine: Engine) -> None:
    fetch(engine.address, "/sayhello?name=Bob")
    fetch(engine.address, "/healthz")
    access_log = engine.logs / "access.log"
    eventually(lambda: "GET /sayhello?name=Bob 200" in access_log.read_text())
    assert "healthz" not in access_log.read_text()
    assert f"{engine.address} serves" in (engine.logs / "events.log").read_text()


def test_it_listens_at_an_ipv6_address(tmp_path: Path) -> None:
    port = free_port()
    environ = environ_of(tmp_path, port) | {"EXPORT_IP": "::1", "EXPORT_NETWORK": "host"}
    with started(SCRIPT, environ):
        status = eventually(lambda: fetch(f"[::1]:{port}", "/status"))[1]
        assert status["address"] == f"[::1]:{port}"
        healthy = subprocess.run([FILES / HEALTHY], env=environ, check=False, timeout=10)
    assert healthy.returncode == 0
    assert subprocess.run([FILES / HEALTHY], env=environ, check=False, timeout=10).returncode == 1


def test_on_the_hosts_network_an_address_of_another_host_ends_it(tmp_path: Path) -> None:
    """A host that came back from a reboot with another address registers nothing wrong."""
    environ = environ_of(tmp_path, free_port())
    environ |= {"EXPORT_IP": "198.18.0.99", "EXPORT_NETWORK": "host"}
    with started(SCRIPT, environ) as process:
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 64
    assert output == (
        "EXPORT_IP is '198.18.0.99'; expected an address of this host (EXPORT_NETWORK=host)\n"
    )


def test_a_log_folder_that_is_absent_does_not_keep_it_from_serving(tmp_path: Path) -> None:
    port = free_port()
    with started(SCRIPT, environ_of(tmp_path / "absent", port)):
        assert eventually(lambda: fetch(f"127.0.0.1:{port}", "/sayhello"))[0] == 200


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXPORT_IP", ""),
        ("EXPORT_PORT", "http"),
        ("VIP_CFGCENTER_ZK_CONNECTION", "zk-1"),
        ("DRAIN_LEASE_S", "soon"),
    ],
)
def test_an_unusable_setting_is_one_clear_line(tmp_path: Path, variable: str, value: str) -> None:
    environ = environ_of(tmp_path, free_port()) | {variable: value}
    with started(SCRIPT, environ) as process:
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 64
    assert output.startswith(f"{variable} is ") and output.count("\n") == 1
