"""Numbered requests through all proxies while something happens, and what became of each.

The caller's own account is held against the logs of all engines, those of removed containers too:
they are in a directory of the host.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from tests.lab import LabHost
from tests.lab.running import PRODUCT

RATE_PER_S = 300
END_S = 60
SLOW_S = 2.9
"""What takes longer was asked to take 3 s."""

_SERVED = re.compile(r"(GET|POST) /\S*[?&]name=r(\d+)(?:&\S*)? 200$", re.MULTILINE)


class Request(NamedTuple):
    """One request, as its caller saw it; `error` is empty where it had its answer."""

    number: int
    method: str
    proxy: str
    sent_at: float
    took_s: float
    engine: str
    error: str


@dataclass
class Load:
    """The requests so far; after the `with`, all of them."""

    requests: list[Request] = field(default_factory=list)

    @property
    def failed(self) -> list[Request]:
        return [request for request in self.requests[:] if request.error]

    def wait_for(self, requests: int, timeout_s: float = 300) -> None:
        """Return when so many requests have been answered."""
        deadline = time.monotonic() + timeout_s
        while len(self.requests) < requests:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {requests} requests"
            time.sleep(0.1)

    def assert_none_lost(self, engines: Sequence[LabHost], logs: str) -> None:
        """Fail where a request had no answer, was served twice, or was answered by no engine.

        `logs` is the directory of the engines' logs on their hosts.
        """
        assert self.requests
        assert self.failed == [], f"{len(self.failed)} of {len(self.requests)}: {self.failed[:5]}"
        assert sorted(r.number for r in self.requests) == list(range(len(self.requests)))
        times_served = served(engines, logs)
        wrong = {r.number: times_served[r.number] for r in self.requests}
        assert {number: times for number, times in wrong.items() if times != 1} == {}

    def read(self, lines: IO[str]) -> None:
        for line in lines:
            number, method, proxy, sent_at, took_s, engine, error = json.loads(line)
            method, proxy, engine = map(sys.intern, (method, proxy, engine))  # a million of each
            self.requests.append(Request(number, method, proxy, sent_at, took_s, engine, error))


def served(engines: Sequence[LabHost], logs: str) -> Counter[int]:
    """How often each number stands in the engines' logs."""
    times: Counter[int] = Counter()
    for host in engines:
        for path in Path(f"{host.upper}{logs}").glob("access.log*"):
            times.update(int(found[2]) for found in _SERVED.finditer(path.read_text()))
    return times


def forget_served(engines: Sequence[LabHost], logs: str) -> None:
    """Empty the engines' logs, so that numbers can be used again."""
    for host in engines:
        host.run(f"rm -f {logs}/access.log.*; truncate -s 0 {logs}/access.log")


@contextmanager
def load(
    proxies: Sequence[str] = (),
    rate_per_s: float = RATE_PER_S,
    service: str = "sayhello",
    registry: str = "",
) -> Iterator[Load]:
    """Call through all proxies from this machine, from the start of the `with` to its end.

    Those given, or those that the `registry` (`ADDRESS:PORT`) knows at each moment.
    """
    whom = ["--registry", registry] if registry else ["--proxies", ",".join(proxies)]
    command = [sys.executable, "-u", "-m", "tests.lab.caller", *whom]
    command += ["--rate", str(rate_per_s), "--service", service]
    seen = Load()
    with subprocess.Popen(
        command, cwd=PRODUCT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        reader = threading.Thread(target=seen.read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            seen.wait_for(1, END_S)
            yield seen
            assert process.poll() is None, "the caller ended early"
            process.stdin.close()
            process.wait(END_S)
            reader.join(END_S)
        finally:
            process.kill()
    assert process.returncode == 0
