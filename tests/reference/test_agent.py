"""The proxy as its container runs it: agent and HAProxy, while the registry is away."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.reference.fake_engine import FakeEngine, answer
from tests.reference.processes import (
    FILES,
    eventually,
    fetch,
    free_port,
    script_environ,
    started,
)

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="HAProxy is not installed")

HEALTHY = "osp-proxy/bin/osp-proxy-healthy.sh"
SCRIPT = "osp-proxy/bin/osp-proxy-default.sh"


@dataclass
class Proxy:
    address: str
    status_address: str
    process: "subprocess.Popen[str]"
    engine: FakeEngine

    def status(self) -> dict[str, Any]:
        return fetch(self.status_address, "/status")[1]


def environ_of(folder: Path, port: int, status_port: int) -> dict[str, str]:
    return script_environ(
        EXPORT_IP="127.0.0.1",
        EXPORT_PORT=str(port),
        OSP_STATUS_PORT=str(status_port),
        VIP_CFGCENTER_ZK_CONNECTION="127.0.0.1:1",
        OSP_LOGS_DIR=str(folder),
        OSP_DATA_DIR=str(folder),
        STOP_GRACE_S="4",
    )


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy that starts while the registry is away, and knew one engine before."""
    engine = FakeEngine(answer)
    (tmp_path / "engines.json").write_text(json.dumps({"sayhello": [engine.address]}))
    port, status_port = free_port(), free_port()
    with started(SCRIPT, environ_of(tmp_path, port, status_port)) as process:
        proxy = Proxy(f"127.0.0.1:{port}", f"127.0.0.1:{status_port}", process, engine)
        eventually(proxy.status)
        yield proxy
        process.terminate()
        process.wait(6)


def test_it_serves_with_the_engines_that_it_knew_and_says_so(proxy: Proxy) -> None:
    assert fetch(proxy.address, "/sayhello")[0] == 200
    assert fetch(proxy.status_address, "/healthz")[0] == 200
    status = proxy.status()
    assert status["proxy"] == proxy.address
    assert status["registry"] == {"connected": False, "stale": True}
    assert status["registered"] is False
    assert status["services"]["sayhello"]["engines"] == [
        {
            "address": proxy.engine.address,
            "state": "up",
            "registered": False,
            "drained": False,
            "in_flight": 0,
            "served": 1,
        }
    ]

    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(6) == 0


def test_at_an_ipv6_address(tmp_path: Path) -> None:
    engine = FakeEngine(answer, "::1")
    (tmp_path / "engines.json").write_text(json.dumps({"sayhello": [engine.address]}))
    port, status_port = free_port(), free_port()
    environ = environ_of(tmp_path, port, status_port)
    environ |= {"EXPORT_IP": "::1", "EXPORT_NETWORK": "host"}
    with started(SCRIPT, environ) as process:
        assert eventually(lambda: fetch(f"[::1]:{port}", "/sayhello"))[0] == 200
        status = eventually(lambda: fetch(f"[::1]:{status_port}", "/status"))[1]
        assert status["proxy"] == f"[::1]:{port}"
        assert status["services"]["sayhello"]["engines"][0]["address"] == engine.address
        assert subprocess.run([FILES / HEALTHY], env=environ, check=False).returncode == 0
        process.terminate()
        assert process.wait(6) == 0


def test_on_the_hosts_network_an_address_of_another_host_ends_it(tmp_path: Path) -> None:
    environ = environ_of(tmp_path, free_port(), free_port())
    environ |= {"EXPORT_IP": "198.18.0.99", "EXPORT_NETWORK": "host"}
    with started(SCRIPT, environ) as process:
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 64
    assert output.startswith("EXPORT_IP is '198.18.0.99'; ") and output.count("\n") == 1


def test_it_ends_when_haproxy_does(proxy: Proxy) -> None:
    pid = proxy.process.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    assert proxy.process.wait(5) == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    taken = FakeEngine(answer).address
    port = int(taken.rpartition(":")[2])
    with started(SCRIPT, environ_of(tmp_path, port, free_port())) as process:
        output, _ = process.communicate(timeout=15)
    assert process.returncode == 1
    assert f"[{taken}]" in output
