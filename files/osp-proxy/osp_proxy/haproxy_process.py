"""The HAProxy process: started beside a predecessor, stopped without cutting requests."""

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from . import runtime_api

START_TIMEOUT_S = 5.0

log = logging.getLogger("osp.haproxy")


class StartError(Exception):
    """HAProxy ended, or did not answer, right after it was started."""


def predecessor(folder: Path) -> Path | None:
    """Return the runtime socket of an HAProxy that runs already, and clear away dead ones' files.

    One is found where a proxy is replaced on the host's network and both mount the same folder.
    """
    live = None
    for path in sorted(folder.glob("haproxy-*.sock")):
        try:
            runtime_api.execute(path, "show version")
            live = path
        except OSError:
            path.unlink(missing_ok=True)
            path.with_suffix(".cfg").unlink(missing_ok=True)
    return live


def start(config: str, socket_path: Path, access_log: logging.Logger) -> "subprocess.Popen[str]":
    """Start HAProxy and return once it answers. Raises StartError, OSError.

    Its listeners come from a predecessor where there is one, so that no connection is refused
    while the two change places.
    """
    old = predecessor(socket_path.parent)
    config_path = socket_path.with_suffix(".cfg")
    config_path.write_text(config, encoding="utf-8")
    command = ["haproxy", "-db", "-f", str(config_path)]
    if old is not None:
        log.info("taking over the listeners of %s", old)
        command += ["-x", str(old)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    _follow(process.stdout, access_log.info)
    messages = _follow(process.stderr, log.info)
    if not _answers(process, socket_path):
        process.kill()
        messages.join(1.0)
        raise StartError(f"HAProxy did not start (exit code {process.wait()})")
    return process


def _answers(process: "subprocess.Popen[str]", socket_path: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            runtime_api.execute(socket_path, "show version")
            return True
        except OSError:
            time.sleep(0.02)
    return False


def stop(process: "subprocess.Popen[str]", deadline: float) -> None:
    """Let HAProxy finish what is in flight; at `deadline` (monotonic) it is killed."""
    process.send_signal(signal.SIGUSR1)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        log.warning("requests were cut off")
        process.kill()
        process.wait()


def _follow(stream: IO[str] | None, write: Callable[[str, str], None]) -> threading.Thread:
    assert stream is not None

    def follow() -> None:
        for line in stream:
            write("%s", line.rstrip("\n"))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    return thread
