"""Reports are told also where no host can be connected to; pyinfra itself would end before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyinfra.api import State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import StateStage
from pyinfra_cli import util

REPORTS = ("verify.py",)
"""Deploy files that tell of hosts, and end the run themselves."""


def run_reports(state: State, deploys: tuple[str, ...]) -> None:
    """Have the reports among `deploys` run where pyinfra finds that no host is left."""
    fail: Callable[..., None] = state.fail_hosts

    def fail_hosts(hosts: Any, activated_count: int | None = None) -> None:
        try:
            fail(hosts, activated_count)
        except PyinfraError:
            if state.current_stage == StateStage.Connect and not state.active_hosts:
                for deploy in deploys:
                    if Path(deploy).name in REPORTS:
                        util.exec_file(deploy)
            raise

    state.fail_hosts = fail_hosts  # type: ignore[method-assign]
