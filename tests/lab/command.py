"""Run programs of the machine, and say clearly what takes a while and what failed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence


class LabError(Exception):
    """Something that the lab needs is missing, or a step of it failed; the text says what."""


def say(message: str) -> None:
    """Tell the user, on stderr, what takes a while."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    timeout_s: float | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it printed.

    Raises LabError, with the end of its output, if it fails, is missing or exceeds ``timeout_s``.
    """
    line = " ".join(argv).splitlines()[0]
    try:
        result = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout_s,
            env=env,
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]}: not found on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{line}: no end after {timeout_s} s") from error
    if check and result.returncode != 0:
        output = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise LabError(f"{line}: exit status {result.returncode}\n{output}")
    return result
