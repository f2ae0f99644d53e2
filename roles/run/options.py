"""What the operator typed: pyinfra's own options, caught while config.py runs.

Deploy files run in greenlets, where click's context can't be seen; config.py runs in the main one.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pyinfra_cli.cli
from pyinfra import config, logger, state
from pyinfra.api import DeployError, State
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state

from roles.access import first
from roles.run import ending, interrupt, one_host, reports
from roles.run.callbacks import Callbacks
from roles.run.connecting import listen

BOOTSTRAP = "bootstrap.py"
"""The deploy file that takes new hosts in."""


@dataclass(frozen=True)
class Options:
    dry: bool = False
    yes: bool = False
    serial: bool = False
    no_wait: bool = False
    fail_percent: int | None = None
    retry: int | None = None
    inventory: str = ""
    deploys: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether pyinfra will ask before it changes anything."""
        return not (self.dry or self.yes)

    @property
    def bootstraps(self) -> bool:
        """Whether new hosts may be logged in to by their first access."""
        return any(Path(deploy).name == BOOTSTRAP for deploy in self.deploys)


_options: Options | None = None


def current() -> Options:
    """Return what was typed.

    Raises:
        DeployError: config.py was not read, since pyinfra was started in another folder.
    """
    if _options is None:
        raise DeployError("start pyinfra in Dockyard's own folder: its config.py was not read")
    return _options


def capture() -> None:
    """Read the command line, and put pyinfra's own questions and Ctrl-C handling in our hands.

    A host that can't be connected to must not end the run before the survey has shown every error
    of every host, nor may pyinfra ask whether to go on without it: `rollout.max_unreachable` says
    that. After that, the first failed host ends the run.
    """
    global _options
    context = click.get_current_context(silent=True)
    if context is None:
        return
    given = context.params
    _options = Options(
        dry=bool(given["dry"]),
        yes=bool(given["yes"]),
        serial=bool(given["serial"]),
        no_wait=bool(given["no_wait"]),
        fail_percent=given["fail_percent"],
        retry=given["retry"],
        inventory=str(given["inventory"]),
        deploys=tuple(given["operations"]),
    )
    config.FAIL_PERCENT = 0
    state.should_raise_failed_hosts = _past_connecting
    pyinfra_cli.cli._set_fail_prompts = lambda state, config: None
    pyinfra_cli.cli._do_confirm = _confirmed
    pyinfra_cli.cli.disconnect_all = ending.end_and_disconnect
    interrupt.install()
    named = os.environ.pop(one_host.VARIABLE, None)
    limit = given["limit"] or ()
    listen(ctx_state.get(), limit, Callbacks, lambda state: _prepare(state, named))
    reports.run_reports(ctx_state.get(), _options.deploys)


def _prepare(state: State, named: str | None) -> None:
    """What comes before any connection; `named` is the one host that the limit is to mean."""
    given = current()
    if named is not None:
        one_host.check(state, named, f"pyinfra {given.inventory} {' '.join(given.deploys)}")
    if given.bootstraps:
        first.prepare(state, has_terminal())


def has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _confirmed(question: str) -> bool:
    """Stand for pyinfra's own question, which takes a "no" for a success."""
    click.echo(
        "\n    Press Enter (or y) to make these changes; any other word leaves all as it is: ",
        err=True,
        nl=False,
    )
    if input().strip().lower() not in ("", "y", "yes"):
        logger.error("--> Nothing was changed")
        sys.exit(1)
    return True


def _past_connecting(state: State) -> bool:
    """Whether pyinfra is to end the run, now that a host has failed."""
    if state.current_stage == StateStage.Connect:
        return False
    logger.error("--> Stopped at the first failure; what was done stays. Mend it, and run again.")
    return True
