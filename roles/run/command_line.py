"""What the commands of `dockyard` share: what was typed, questions, and pyinfra run to its end.

pyinfra is imported only where it is needed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
"""The project's folder, from which pyinfra reads group_data and the deploys."""
INTERRUPTED = 130
"""What Ctrl-C ends every command with."""


def found_inventory(inventory: str) -> str:
    """The inventory's absolute path, from where we are or from the project's folder."""
    for folder in (Path.cwd(), ROOT):
        if (folder / inventory).is_file():
            return str((folder / inventory).absolute())
    text = f"there is no inventory {inventory}; name a file such as inventories/prod.py"
    raise click.UsageError(text)


def read_data(given: Sequence[str], option: str = "--data") -> dict[str, Any]:
    """Read `KEY=VALUE` as pyinfra does."""
    from pyinfra_cli.util import parse_cli_arg

    found: dict[str, Any] = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign or not key:
            raise click.UsageError(f"{option} {each}: expected KEY=VALUE")
        found[key] = parse_cli_arg(value)
    return found


def confirmed(question: str) -> bool:
    """Ask at the terminal; Ctrl-C ends the command, as does the end of what is typed."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo("\nInterrupted; nothing was changed.", err=True)
        sys.exit(INTERRUPTED)


def run_pyinfra(*words: str, stdin: int | None = None, stdout: Any = None) -> int:
    """Run pyinfra to its end; Ctrl-C is for it alone, it finishes the step in hand."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        run = subprocess.run(pyinfra(*words), stdin=stdin, stdout=stdout, check=False)
    finally:
        signal.signal(signal.SIGINT, before)
    return run.returncode if run.returncode >= 0 else 128 - run.returncode


def pyinfra(*words: str) -> list[str]:
    """A command line of the pyinfra that is installed beside this Python."""
    return [str(Path(sys.executable).with_name("pyinfra")), *words]
