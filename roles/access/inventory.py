"""The servers of SSH that an inventory's hosts, and the bastions before them, are."""

from __future__ import annotations

from pyinfra.api import Host, State

from roles.access.place import Place, place_of
from roles.run.inventory import Unusable


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
