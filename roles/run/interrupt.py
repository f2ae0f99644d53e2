"""Ctrl-C: once finishes the step in hand and ends the run with 130; twice ends it now.

A closed terminal (SIGHUP) and SIGTERM are taken for the same.

pyinfra's own handler exits with 0 and skips every `finally`.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click
from pyinfra import state
from pyinfra.api.state import StateStage

EXIT_CODE = 130

_requested = False


def install() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _handle)


def requested() -> bool:
    """Tell whether the operator has asked the run to end."""
    return _requested


def _handle(signum: int, frame: FrameType | None) -> None:
    global _requested
    if state.current_stage < StateStage.Execute:
        click.echo("\nInterrupted; nothing was changed on any host.", err=True)
        if state.current_stage == StateStage.Setup:
            sys.exit(EXIT_CODE)  # a password prompt must give the terminal its echo back
        os._exit(EXIT_CODE)
    if _requested:
        click.echo(
            "\nInterrupted twice: ended in the middle of a step. Run again, when the hosts' lease "
            "has run out.",
            err=True,
        )
        os._exit(EXIT_CODE)
    _requested = True
    click.echo("\nInterrupted: finishing the step in hand (again: end now).", err=True)
