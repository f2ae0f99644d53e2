"""A proxy replaced on the host's network, under load: no request is lost."""

import contextlib
import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference.processes import eventually, fetch, free_port, script_environ, started

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="HAProxy is not installed")

ENGINE = "sayhello-service-engine/bin/osp-default.sh"
PROXY = "osp-proxy/bin/osp-proxy-default.sh"
STOP_GRACE_S = 4.0
SLOW = "/sayhello?delay_ms=3000"


class Callers:
    """Threads that call without a pause, and count what went well and what did not."""

    def __init__(self, address: str) -> None:
        self.served = 0
        self.failures: list[str] = []
        self._address = address
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []

    def call_again_and_again(self, keep_alive: bool, pause_s: float = 0.0) -> None:
        self._begin(self._call_until_over, keep_alive, pause_s)

    def call_once(self, target: str) -> None:
        self._begin(self._call, http.client.HTTPConnection(self._address, timeout=10), target)

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(10)

    def _begin(self, target, *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()

    def _call_until_over(self, keep_alive: bool, pause_s: float) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._is_over.wait(pause_s):
            self._call(connection, "/sayhello")
            if not keep_alive:
                connection.close()
        connection.close()

    def _call(self, connection: http.client.HTTPConnection, target: str) -> None:
        """Call once; nothing is sent again. A connection that an answer closed is made anew."""
        failure = None
        try:
            connection.request("POST", target, "{}", {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failure = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            failure = repr(error)
            connection.close()
        with self._lock:
            self.served += failure is None
            self.failures += [f"{target}: {failure}"] if failure else []


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    environ = script_environ(
        EXPORT_IP="127.0.0.1",
        EXPORT_PORT=str(port),
        VIP_CFGCENTER_ZK_CONNECTION="127.0.0.1:1",
        OSP_LOGS_DIR=str(tmp_path),
    )
    with started(ENGINE, environ):
        eventually(lambda: fetch(f"127.0.0.1:{port}", "/healthz"))
        yield f"127.0.0.1:{port}"


def test_a_proxy_is_replaced_without_a_lost_request(tmp_path: Path, engine: str) -> None:
    (tmp_path / "engines.json").write_text(json.dumps({"sayhello": [engine]}))
    port, status_port = free_port(), free_port()
    environ = script_environ(
        EXPORT_IP="127.0.0.1",
        EXPORT_PORT=str(port),
        EXPORT_NETWORK="host",
        OSP_STATUS_PORT=str(status_port),
        VIP_CFGCENTER_ZK_CONNECTION="127.0.0.1:1",
        OSP_LOGS_DIR=str(tmp_path),
        OSP_DATA_DIR=str(tmp_path),
        STOP_GRACE_S=str(STOP_GRACE_S),
    )

    def instance() -> str:
        return str(fetch(f"127.0.0.1:{status_port}", "/status")[1]["instance"])

    callers = Callers(f"127.0.0.1:{port}")
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(started(PROXY, environ))
        old_instance = eventually(instance)
        stack.callback(callers.end)
        for keep_alive in (True, True, False, False):
            callers.call_again_and_again(keep_alive)
        callers.call_again_and_again(keep_alive=True, pause_s=0.7)
        for _ in range(4):
            callers.call_once(SLOW)  # The old one has these: the other is not there yet.
        new = stack.enter_context(started(PROXY, environ))
        eventually(lambda: instance() != old_instance)

        old.terminate()
        time.sleep(0.1)
        assert {instance() for _ in range(20)}.isdisjoint({old_instance})
        before = callers.served
        time.sleep(0.5)
        assert callers.served > before, "the new one takes the callers at once"
        time.sleep(0.9)
        for _ in range(8):
            callers.call_once(SLOW)  # The old one would have no time to answer them.
        assert old.wait(STOP_GRACE_S) == 0
        callers.end()
        new.terminate()
        assert new.wait(STOP_GRACE_S + 1) == 0
    assert callers.failures == []
    assert callers.served > 100
