"""A check in a process of its own: pyinfra's inventory and connections, without its command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from roles.drift.check import check, close
from roles.drift.model import Report
from roles.run.callbacks import listen
from roles.run.inventory import loaded


def check_inventory(
    path: str, limit: Sequence[str], data: Mapping[str, Any], folder: str
) -> Report:
    """Check an inventory's hosts; group_data is read from `folder`, the project's.

    Raises:
        Unusable: there is no such inventory, or nothing in it is meant.
        Refused: the data is wrong.
    """
    with loaded(path, folder, data, limit, before=partial(listen, limit=limit)) as state:
        try:
            return check(state, path)
        finally:
            close(state)
