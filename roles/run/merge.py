"""Merge what group_data, inventory and command line say of a host, in pyinfra's order."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pyinfra.api import DeployError, Host


class DataError(DeployError):
    """What is said of a host can't be merged: the key that says it, and what to do."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"--data {key}: {text}")
        self.key, self.text = key, text


def merged_data(host: Host) -> dict[str, Any]:
    """Return the host's data with dicts merged key by key; the last of these to say a thing wins.

    The inventory's `all`, its groups in their order, the host itself, `--data` on the command line.
    There a key with dots sets one key of a dict: `--data rollout.max_unreachable=1`.
    (pyinfra itself replaces a whole dict: `host.data.soa_engine` of a host that sets one key of it
    would lose all the others.)

    Raises:
        DataError: what a key with dots goes into is no dict.
    """
    inventory = host.inventory
    layers = [
        inventory.get_data(),
        *(inventory.get_group_data(group) for group in host.groups),
        inventory.get_host_data(host.name),
    ]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    for key, value in inventory.get_override_data().items():
        merged = _merge(merged, _nested(merged, key, value))
    return merged


def _nested(merged: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return what a key of the command line says, as a layer: `a.b` is the key `b` of the dict `a`.

    `merged` is what is said below.
    """
    *parents, last = key.split(".")
    below: Any = merged
    for depth, parent in enumerate(parents, 1):
        below = below.get(parent, {})
        if not isinstance(below, Mapping):
            path, found = ".".join(parents[:depth]), type(below).__name__
            raise DataError(key, f"expected a dict in {path}, found {found}; set that as a whole")
    layer = {last: value}
    for parent in reversed(parents):
        layer = {parent: layer}
    return layer


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = deepcopy(value)
    return merged
