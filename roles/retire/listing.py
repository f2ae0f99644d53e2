"""Who has left is listed no more, and its keys are forgotten: files of this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pyinfra import logger
from pyinfra.api import Host, State

from inventories import host_list, list_edit
from roles.access.place import BadFile, forget, place_of
from roles.run import options, whole_file


def strike(state: State, host: Host, names: tuple[str, ...]) -> bool:
    """Take hosts out of the YAML list beside the inventory; tell what is left to do by hand."""
    inventory = options.current().inventory
    path = Path(inventory).with_suffix(".yaml")
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
    except FileNotFoundError:
        listed = []
    except (OSError, UnicodeDecodeError, host_list.ListError, whole_file.Unwritable) as error:
        logger.error(f"{path}: {error}; run again, or take {', '.join(names)} out by hand")
        return False
    by_hand = [name for name in names if name not in listed]
    if by_hand:
        logger.warning(f"Take {', '.join(by_hand)} out of {inventory}, too: a deploy would return")
    behind = _behind(state, names)
    return all([_forgotten(state.inventory.get_host(name), behind) for name in listed])


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
