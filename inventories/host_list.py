"""Hosts from a YAML file, validated; see prod.yaml for what one looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError
from pyinfra.api.exceptions import InventoryError

from roles.run.model import Data, Port, Word

Group = Literal["registry", "engine", "proxy", "sdk"]
GROUPS: tuple[Group, ...] = ("registry", "engine", "proxy", "sdk")

Hosts = list[tuple[str, dict[str, Any]]]


class HostEntry(Data):
    """One host of the list."""

    groups: list[Group] = Field(min_length=1)
    address: Word | None = None
    """Where SSH reaches it; None: under its name."""
    port: Port | None = None
    user: Word | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    """What group_data says otherwise, for this host alone."""


class HostList(Data):
    hosts: dict[Word, HostEntry]


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{', '.join(sorted(twice))} is listed twice,{node.start_mark}")
        return super().construct_mapping(node, deep)


def read(path: str) -> dict[str, Hosts]:
    """Return each group's hosts with their data, in the file's order.

    Raises:
        InventoryError: there is no such file, it is no YAML, or an entry is not as it should be;
            the text names file, host and key.
    """
    try:
        listed = HostList.model_validate(yaml.load(Path(path).read_text(), _UniqueKeys))
    except OSError as error:
        raise InventoryError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise InventoryError(f"{path}: no YAML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise InventoryError(f"{path}: " + "; ".join(lines)) from error
    return {
        group: [(name, _data(h)) for name, h in listed.hosts.items() if group in h.groups]
        for group in GROUPS
    }


def _data(host: HostEntry) -> dict[str, Any]:
    ssh = {"ssh_hostname": host.address, "ssh_port": host.port, "ssh_user": host.user}
    return {**host.data, **{key: value for key, value in ssh.items() if value is not None}}
