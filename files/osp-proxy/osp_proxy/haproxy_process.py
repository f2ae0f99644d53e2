"""The HAProxy process: started beside a predecessor, stopped without cutting requests."""

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from . import runtime_api

START_TIMEOUT_S = 5.0
PIPE_BYTES = 1024 * 1024
GATHER_S = 0.1

log = logging.getLogger("osp.haproxy")


class StartError(Exception):
    """HAProxy ended, or did not answer, right after it was started."""


def predecessor(folder: Path) -> Path | None:
    """Return the runtime socket of an HAProxy that runs already, and clear away dead ones' files.

    One is found where a proxy is replaced on the host's network and both mount the same folder.
    """
    live = []
    for path in folder.glob("haproxy-*.sock"):
        try:
            runtime_api.execute(path, "show version")
            live.append((path.stat().st_mtime_ns, path))
        except OSError:
            path.unlink(missing_ok=True)
            path.with_suffix(".cfg").unlink(missing_ok=True)
    return max(live)[1] if live else None


def has_successor(socket_path: Path) -> bool:
    """Tell whether an HAProxy that started later runs beside the one at `socket_path`."""
    for path in socket_path.parent.glob("haproxy-*.sock"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime_ns > socket_path.stat().st_mtime_ns:
                runtime_api.execute(path, "show version")
                return True
    return False


def start(
    config: str, socket_path: Path, write_access_log: Callable[[bytes], None]
) -> "subprocess.Popen[bytes]":
    """Start HAProxy and return once it answers. Raises StartError, OSError.

    `write_access_log` gets whole lines, many at once. HAProxy's listeners come from a predecessor
    where there is one, so that no connection is refused while the two change places.
    """
    old = predecessor(socket_path.parent)
    config_path = socket_path.with_suffix(".cfg")
    config_path.write_text(config, encoding="utf-8")
    command = ["haproxy", "-db", "-f", str(config_path)]
    if old is not None:
        log.info("taking over the listeners of %s", old)
        command += ["-x", str(old)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _in_thread(_gather, process.stdout, write_access_log, daemon=False)
    messages = _in_thread(_follow, process.stderr)
    if not _answers(process, socket_path):
        process.kill()
        messages.join(1.0)
        raise StartError(f"HAProxy did not start (exit code {process.wait()})")
    return process


def _answers(process: "subprocess.Popen[bytes]", socket_path: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            runtime_api.execute(socket_path, "show version")
            return True
        except OSError:
            time.sleep(0.02)
    return False


def begin_to_stop(process: "subprocess.Popen[bytes]") -> None:
    """Have HAProxy take no new connection, and end when it has finished what is in flight."""
    process.send_signal(signal.SIGUSR1)


def stop(process: "subprocess.Popen[bytes]", deadline: float) -> None:
    """Let HAProxy finish what is in flight; at `deadline` (monotonic) it is killed."""
    begin_to_stop(process)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        log.warning("requests were cut off")
        process.kill()
        process.wait()


def _in_thread(
    target: Callable[..., None], *arguments: object, daemon: bool = True
) -> threading.Thread:
    """Run `target`; where it is no daemon, the agent ends after it, as when HAProxy has ended."""
    thread = threading.Thread(target=target, args=arguments, daemon=daemon)
    thread.start()
    return thread


def _gather(stream: IO[bytes], write: Callable[[bytes], None]) -> None:
    """Pass lines on in blocks: a line at a time would cost as much as the request itself.

    HAProxy does not wait for a full pipe, it drops lines: what comes fast is read at once.
    """
    with contextlib.suppress(OSError):  # A machine's `fs.pipe-max-size` may be lower.
        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    capacity = fcntl.fcntl(stream, fcntl.F_GETPIPE_SZ)
    rest = b""
    while block := os.read(stream.fileno(), capacity):
        lines, newline, rest = (rest + block).rpartition(b"\n")
        write(lines + newline)
        if len(block) < capacity // 4:
            time.sleep(GATHER_S)


def _follow(stream: IO[bytes]) -> None:
    for line in stream:
        log.info("%s", line.decode("utf-8", "replace").rstrip("\n"))
