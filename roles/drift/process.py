"""A check in a process of its own: pyinfra's inventory and connections, without its command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyinfra.api import Config, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_config, ctx_state
from pyinfra_cli.cli import _apply_inventory_limit
from pyinfra_cli.exceptions import CliError
from pyinfra_cli.inventory import make_inventory_from_files

from roles.drift.check import check, close
from roles.drift.model import Report
from roles.run.callbacks import listen


class Unusable(Exception):
    """The inventory, or what was typed, can't be used; the text says why."""


def check_inventory(
    path: str, limit: Sequence[str], data: Mapping[str, Any], folder: str
) -> Report:
    """Check an inventory's hosts; group_data is read from `folder`, the project's.

    Raises:
        Unusable: there is no such inventory, or nothing in it is meant.
        Refused: the data is wrong.
    """
    config, state = Config(), State()
    with ctx_config.use(config), ctx_state.use(state):
        try:
            inventory = make_inventory_from_files(path, override_data=dict(data), cwd=folder)
            listen(state, limit)
            state.init(inventory, config, initial_limit=_apply_inventory_limit(inventory, limit))
        except (CliError, PyinfraError, SyntaxError) as error:
            raise Unusable(f"{path}: {error}") from error
        try:
            return check(state, path)
        finally:
            close(state)
