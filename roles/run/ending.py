"""How a run ends, whatever ends it: the lease given back, and told where things stand."""

from __future__ import annotations

import sys

from pyinfra import logger
from pyinfra.api import State
from pyinfra.api.connect import disconnect_all

from roles.run import lease, summary


def end_and_disconnect(state: State) -> None:
    """Stand for pyinfra's `disconnect_all`, which it calls in a `finally`.

    Tells nothing where nothing was changed.
    """
    ended_by = sys.exc_info()[1]
    has_succeeded = isinstance(ended_by, SystemExit) and not ended_by.code
    try:
        if lease.give_back(state):
            summary.tell(state, briefly=has_succeeded)
    except Exception as error:  # it must not stand for what the run has ended by
        logger.error(f"where things stand is not known: {error!r}")
    disconnect_all(state)
