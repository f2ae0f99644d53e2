"""The program of the operator's own that is told when something has changed."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from roles.host_check.finding import one_line

LIMIT_S = 60
GRACE_S = 5
"""From SIGTERM to SIGKILL."""
LINES, LINE_LENGTH = 5, 200
"""How much of what it has said is told where it fails."""
TAIL_BYTES = 4096


class HookFailed(Exception):
    """The hook could not be run, did not end in time, or ended with a failure."""


def call(hook: Path, text: str, limit_s: float = LIMIT_S) -> None:
    """Run an executable, without a shell and without arguments, with `text` on its stdin.

    stdin and its output are files, not pipes: it need not read the one, and what it leaves behind
    in the background can't hold the other open.

    Raises:
        HookFailed: says its exit status and its last lines.
    """
    try:
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
            stdin.write(text.encode())
            stdin.seek(0)
            status = _run(hook.absolute(), stdin, output, limit_s)
            said = _last_lines(output)
    except OSError as error:
        raise HookFailed(f"hook {hook} can't be run: {error}") from error
    if status is None:
        raise HookFailed(f"hook {hook} had not ended after {limit_s:g} s, and was ended{said}")
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise HookFailed(f"hook {hook} {how}{said}")


def _run(hook: Path, stdin: IO[bytes], output: IO[bytes], limit_s: float) -> int | None:
    """The exit status; None where it was ended, and all that it has started with it."""
    try:
        process = subprocess.Popen(
            [hook], stdin=stdin, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise HookFailed(
            f"hook {hook} can't be started: {error.strerror or error}; expected an executable file "
            "(a script needs a first line such as #!/bin/sh)"
        ) from error
    status = None
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    finally:
        if status is None:
            _signal(process, signal.SIGKILL)
            process.wait()
    return status


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _last_lines(output: IO[bytes]) -> str:
    output.seek(max(0, os.fstat(output.fileno()).st_size - TAIL_BYTES))
    lines = output.read().decode("utf-8", errors="replace").splitlines()
    said = [one_line(line)[-LINE_LENGTH:] for line in lines if line.strip()][-LINES:]
    return f": {' | '.join(said)}" if said else " (it said nothing)"
