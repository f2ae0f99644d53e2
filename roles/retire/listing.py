"""Who has left is listed no more, and its keys are forgotten: files of this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pyinfra import logger
from pyinfra.api import Host, State

from inventories import host_list, list_edit
from roles.access.place import BadFile, forget, place_of
from roles.run import options, whole_file

BY_HAND = "a deploy would return. `dockyard hostkeys forget HOST` before that: its keys are pinned"


def strike(state: State, host: Host, names: tuple[str, ...], given: str | None) -> bool:
    """Take hosts out of their YAML list; tell what is left to do by hand.

    The list is the one that is `given`; None: that beside the inventory, if there is one.
    """
    inventory = options.current().inventory
    path = Path(given) if given else Path(inventory).with_suffix(".yaml")
    if not given and not path.exists():
        logger.warning(f"Take {', '.join(names)} out of {inventory}, too: {BY_HAND}")
        return True
    try:
        before = text = path.read_bytes().decode()
        listed = [name for name in names if name in host_list.parsed(text)]
        for name in listed:
            text = list_edit.removed(text, name)
        if listed:
            if path.read_bytes().decode() != before:
                raise host_list.ListError("was changed meanwhile")
            whole_file.write(path, text)
            logger.info(f"    {', '.join(listed)}: taken out of {path}")
    except (OSError, UnicodeDecodeError, host_list.ListError, whole_file.Unwritable) as error:
        logger.error(f"{path}: {error}; run again, or take {', '.join(names)} out by hand")
        return False
    behind = _behind(state, names)
    are_forgotten = [_forgotten(state.inventory.get_host(name), behind) for name in listed]
    others = [name for name in names if name not in listed]
    if others:
        logger.error(
            f"{path} does not list {', '.join(others)}. Run `dockyard retire HOST --list FILE` "
            f"with the list that does, or take that host out by hand: {BY_HAND}"
        )
    return all(are_forgotten) and not others


def _behind(state: State, gone: Collection[str]) -> dict[str, list[str]]:
    """Return which hosts are reached through each bastion, of those that stay."""
    behind: dict[str, list[str]] = {}
    for host in state.inventory:
        place = place_of(host) if host.name not in gone else None
        for bastion in place.bastions if place else ():
            behind.setdefault(bastion.name, []).append(host.name)
    return behind


def _forgotten(host: Host, behind: Mapping[str, Sequence[str]]) -> bool:
    """Forget the pinned keys of a host: its address may be another's tomorrow.

    Not those of a bastion: the hosts behind it would be refused.
    """
    place = place_of(host)
    if place is None or not place.pins:
        return True
    if others := behind.get(place.name):
        logger.info(
            f"    {host.name}: its keys stay in {place.known_hosts}: it is the bastion of "
            f"{', '.join(others)}"
        )
        return True
    try:
        forget(place)
    except BadFile as error:
        logger.error(f"{host.name}: its keys are not forgotten: {error}")
        return False
    logger.info(f"    {host.name}: its keys are taken out of {place.known_hosts}")
    return True
