"""HOST of a command such as `dockyard retire HOST`: one host's exact name.

pyinfra's --limit would take it for a group first, then for a pattern.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyinfra.api import State

VARIABLE = "DOCKYARD_ONE_HOST"
"""Of the environment: by it `dockyard` tells pyinfra, which it becomes, that --limit is a HOST."""


def check(state: State, name: str, same: str) -> None:
    """See that a limit means the host with that name alone; `same` are the words that take groups.

    Raises:
        InventoryError: it is a group, or a pattern; the text says of which hosts.
    """
    from pyinfra.api.exceptions import InventoryError

    meant = [host.name for host in state.inventory if state.is_host_in_limit(host)]
    if meant != [name]:
        kind = "group" if name in state.inventory.groups else "pattern"
        raise InventoryError(
            f"{name}: expected the name of one host, found a {kind} that means "
            f"{', '.join(meant)}; nothing was done. Name one of them; all of them are taken by: "
            f"{same} --limit '{name}'"
        )
