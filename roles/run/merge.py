"""Merge what group_data, inventory and command line say of a host, in pyinfra's order."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pyinfra.api import Host


def merged_data(host: Host) -> dict[str, Any]:
    """Return the host's data with dicts merged key by key; the last of these to say a thing wins.

    The inventory's `all`, its groups in their order, the host itself, `--data` on the command line.
    (pyinfra itself replaces a whole dict: `host.data.soa_engine` of a host that sets one key of it
    would lose all the others.)
    """
    inventory = host.inventory
    layers = [
        inventory.get_data(),
        *(inventory.get_group_data(group) for group in host.groups),
        inventory.get_host_data(host.name),
        inventory.get_override_data(),
    ]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    return merged


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = deepcopy(value)
    return merged
