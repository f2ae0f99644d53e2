"""An inventory's hosts in a process of ours, for what is asked of their keys. Connects to none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyinfra.api import Config, Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_config, ctx_state
from pyinfra_cli.exceptions import CliError
from pyinfra_cli.inventory import make_inventory_from_files

from roles.access.place import Place, place_of


class Unusable(Exception):
    """The inventory, or a host that was named, can't be used; the text says why."""


@contextmanager
def loaded(path: str, folder: str) -> Iterator[State]:
    """Load an inventory; group_data is read from `folder`, the project's.

    Raises:
        Unusable: it can't be loaded.
    """
    config, state = Config(), State()
    with ctx_config.use(config), ctx_state.use(state):
        try:
            inventory = make_inventory_from_files(path, cwd=folder)
            state.init(inventory, config)
        except (CliError, PyinfraError, SyntaxError) as error:
            raise Unusable(f"{path}: {error}") from error
        yield state


def places(state: State) -> dict[str, Place]:
    """Return where everything with a host key is: the hosts by name, then bastions by address."""
    hosts = {host.name: place for host in state.inventory if (place := place_of(host))}
    bastions = {b.address: b for place in hosts.values() for b in place.bastions}
    return {**hosts, **{address: b for address, b in bastions.items() if address not in hosts}}


def chosen(state: State, names: tuple[str, ...]) -> dict[str, Place]:
    """Return the places with these names; without names, all.

    Raises:
        Unusable: there is no such host or bastion, or it is not reached by SSH.
    """
    known = places(state)
    for name in names:
        if name not in known:
            raise Unusable(
                f"{name}: no host of the inventory that is reached by SSH, and no bastion, has "
                f"that name; known are {', '.join(known) or 'none'}"
            )
    return {name: known[name] for name in names or known}


def host_named(state: State, name: str) -> Host | None:
    """The host of the inventory; None where it is a bastion's name."""
    return next((host for host in state.inventory if host.name == name), None)
