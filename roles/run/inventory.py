"""An inventory in a process of ours: pyinfra's own loader and state, without its command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyinfra.api import Config, Host, Inventory, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_config, ctx_state
from pyinfra_cli.exceptions import CliError
from pyinfra_cli.inventory import make_inventory_from_files


class Unusable(Exception):
    """The inventory, or what was typed, can't be used; the text says why."""


@contextmanager
def loaded(
    path: str,
    folder: str,
    data: Mapping[str, Any] | None = None,
    limit: Sequence[str] = (),
    before: Callable[[State], None] | None = None,
) -> Iterator[State]:
    """Load an inventory; group_data is read from `folder`, the project's. Connects to no host.

    `data` wins over what the inventory says. `before` is called before the state is set up.

    Raises:
        Unusable: it can't be loaded, or nothing in it is meant.
    """
    config, state = Config(), State()
    with ctx_config.use(config), ctx_state.use(state):
        try:
            inventory = make_inventory_from_files(path, override_data=dict(data or {}), cwd=folder)
            if before:
                before(state)
            state.init(inventory, config, initial_limit=_limited(inventory, limit))
        except (CliError, PyinfraError, SyntaxError) as error:
            raise Unusable(f"{path}: {error}") from error
        yield state


def _limited(inventory: Inventory, limit: Sequence[str]) -> list[Host] | None:
    """The hosts that are meant. pyinfra's whole command, which is slow to load, knows them."""
    if not limit:
        return None
    from pyinfra_cli.cli import _apply_inventory_limit

    meant: list[Host] | None = _apply_inventory_limit(inventory, limit)
    return meant
