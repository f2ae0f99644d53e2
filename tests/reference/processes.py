"""Start a part by its own start script, on the loopback, and talk to it."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

FILES = Path(__file__).parents[2] / "files"
TIMEOUT_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any]) -> Any:
    """Return the first true value of `condition`; an OSError counts as not yet."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if value := condition():
                return value
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def script_environ(**variables: str) -> dict[str, str]:
    """Return an environment in which `python3` is this one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "LANG": "C.UTF-8", **variables}


@contextlib.contextmanager
def started(script: str, environ: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run `files/<script> start` for as long as the block takes."""
    with subprocess.Popen(
        [FILES / script, "start"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def fetch(
    address: str, target: str, method: str = "GET", body: str | None = None, type_: str = ""
) -> tuple[int, Any]:
    """Return the status and the JSON of one request to `ip:port`."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request(method, target, body, {"Content-Type": type_} if type_ else {})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()
