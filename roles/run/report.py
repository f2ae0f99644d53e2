"""What the operator sees: the changes that are planned, and each one as it is done."""

from __future__ import annotations

import atexit

import click
from pyinfra import logger
from pyinfra.api import State

from roles.run.changes import Change


def planned(changes: list[Change], hosts: int) -> None:
    """List the changes that the run will make."""
    if not changes:
        logger.info(f"--> Nothing to change on {counted(hosts, 'host')}")
        return
    logger.info(f"--> {counted(len(changes), 'change')} on {counted(hosts, 'host')}:")
    for change in changes:
        logger.info(f"    {click.style('~', 'yellow')} {change}")


def warned(warnings: int) -> None:
    """Count what the checks of hosts warn of; they don't forbid the run."""
    if warnings:
        found = counted(warnings, "warning")
        logger.warning(f"{found} on hosts; `pyinfra INVENTORY deploy/verify.py` tells them")


def warned_last(text: str) -> None:
    """Warn where the operator looks last: at the very end of the run."""
    atexit.register(logger.warning, text)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def done(state: State, change: Change) -> None:
    """Tell that a change was carried out. Says nothing while pyinfra only looks for changes."""
    if state.is_executing:
        logger.info(f"    {click.style('+', 'green')} {change}")
