"""The check within a run of pyinfra's own: a table, and the exit code."""

from __future__ import annotations

import sys

from pyinfra.api import DeployError

from roles.drift.check import check
from roles.drift.report import console, table
from roles.run import options
from roles.run.problems import Refused
from roles.run.reports import told_once


def tell_drift() -> None:
    """Check the hosts of the limit, or all, and end the run.

    Raises:
        DeployError: the data is wrong.
        SystemExit: with the code that docs/drift.md tells.
    """
    with told_once() as state:
        if state is None:
            return
        try:
            report = check(state, options.current().inventory)
        except Refused as refused:
            text = f"the data is wrong, and nothing was compared:\n{refused}"
            raise DeployError(text) from None
        console().print(table(report))
        sys.exit(report.exit_code)
