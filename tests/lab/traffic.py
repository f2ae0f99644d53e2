"""Steady traffic from the sdk's container, call by call, while something happens to the fleet."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from tests.lab import LabHost

RATE_PER_S = 50
LIMIT_S = 120
END_S = 30

# Calls until stdin ends, or the time is over. One line for each call: when it was sent (seconds of
# the clock of the machine, which all hosts share), how long it took, its error, who answered.
CALLER = """
import json, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from osp_sdk import CallError, Client

rate_per_s, limit_s = float(sys.argv[1]), float(sys.argv[2])
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()

def call(client):
    sent_at, start = time.time(), time.monotonic()
    try:
        reply = client.call(name="Ada")
        answer = {"error": "", "engine": reply.engine, "proxy": reply.proxy}
    except CallError as error:
        answer = {"error": str(error) or error.kind, "engine": "", "proxy": error.proxy or ""}
    took_s = time.monotonic() - start
    sys.stdout.write(json.dumps({"sent_at": sent_at, "took_s": took_s, **answer}) + "\\n")
    sys.stdout.flush()

with Client("sayhello", registry=sys.argv[3], retries=0) as client, ThreadPoolExecutor(32) as pool:
    client.proxies()
    start = time.monotonic()
    number = 0
    while not ended.is_set() and time.monotonic() - start < limit_s:
        pool.submit(call, client)
        number += 1
        time.sleep(max(0.0, start + number / rate_per_s - time.monotonic()))
"""


@dataclass(frozen=True)
class Call:
    """`sent_at` is a time of time.time(); `error` is empty where there was a reply."""

    sent_at: float
    took_s: float
    error: str
    engine: str
    proxy: str


@dataclass
class Traffic:
    """The calls so far; after the `with`, all of them."""

    calls: list[Call] = field(default_factory=list)

    @property
    def failed(self) -> list[Call]:
        return [call for call in list(self.calls) if call.error]

    def answered_by(self, engine: str, since: float = 0.0) -> int:
        return sum(call.engine == engine and call.sent_at >= since for call in list(self.calls))

    def assert_steady(self) -> None:
        """Fail where calls were not sent at the rate from beginning to end."""
        first, last = self.calls[0].sent_at, max(call.sent_at for call in self.calls)
        rate_per_s = len(self.calls) / max(last - first, 1.0)
        assert rate_per_s > 0.9 * RATE_PER_S, f"{len(self.calls)} calls, {rate_per_s:.0f} a second"

    def read(self, lines: IO[str]) -> None:
        for line in lines:
            self.calls.append(Call(**json.loads(line)))


@contextmanager
def traffic(caller: LabHost, *servers: LabHost, limit_s: float = LIMIT_S) -> Iterator[Traffic]:
    """Call from the sdk's container on `caller` at 50 calls a second, each tried once.

    It finds proxies in the registry on `servers`.

    Within the `with` there is traffic, from the start to the end. Ends by itself after `limit_s`.
    """
    registry = ",".join(f"{server.address}:2181" for server in servers)
    arguments = [str(RATE_PER_S), str(limit_s), registry]
    command = ["docker", "exec", "-i", "-e", "PYTHONPATH=/usr/local/osp-sdk", "osp-sdk"]
    command += ["python3", "-c", CALLER, *arguments]
    seen = Traffic()
    with subprocess.Popen(
        [*caller.ssh_command(), shlex.join(command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        reader = threading.Thread(target=seen.read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            deadline = time.monotonic() + END_S
            while not seen.calls and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            yield seen
            assert process.poll() is None, f"the traffic ended early: {process.stderr.read()}"
            process.stdin.close()
            process.wait(END_S)
            reader.join(END_S)
        finally:
            process.kill()
    assert process.returncode == 0
