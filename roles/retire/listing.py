"""Who has left is listed no more, and its keys are forgotten: files of this machine."""

from __future__ import annotations

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
    return all([_forgotten(state.inventory.get_host(name)) for name in listed])


def _forgotten(host: Host) -> bool:
    """Forget the pinned keys of a host: its address may be another's tomorrow."""
    place = place_of(host)
    if place is None or not place.pins:
        return True
    try:
        forget(place)
    except BadFile as error:
        logger.error(f"{host.name}: its keys are not forgotten: {error}")
        return False
    logger.info(f"    {host.name}: its keys are taken out of {place.known_hosts}")
    return True
