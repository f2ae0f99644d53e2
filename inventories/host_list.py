"""Hosts from a YAML file, validated; see prod.yaml for what one looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError
from pyinfra.api.exceptions import InventoryError

from roles.access import bastions
from roles.run.model import Data, Port, Word

Group = Literal["registry", "engine", "proxy", "sdk"]
GROUPS: tuple[Group, ...] = ("registry", "engine", "proxy", "sdk")
RESERVED = ("all", *GROUPS)
"""What no host is called: as a name, --limit takes it for the group."""
KNOWN_HOSTS = "inventories/known_hosts"

Hosts = list[tuple[str, dict[str, Any]]]


class ListError(Exception):
    """A host list, or what is to be added to it, is not as it should be; the text says what."""


def _hop(value: str) -> str:
    bastions.hop(value)
    return value


class HostEntry(Data):
    """One host of the list."""

    groups: list[Group] = Field(min_length=1)
    address: Word | None = None
    """Where SSH reaches it; None: under its name."""
    port: Port | None = None
    user: Word | None = None
    via: list[Annotated[str, AfterValidator(_hop)]] = Field(default_factory=list)
    """The bastions on the way to it, `user@address:port`, the first one first."""
    data: dict[str, Any] = Field(default_factory=dict)
    """What group_data says otherwise, for this host alone."""

    def place(self, name: str) -> tuple[str, int]:
        """The address and port by which it is reached."""
        return self.address or name, self.port or 22


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{', '.join(sorted(twice))} is listed twice,{node.start_mark}")
        return super().construct_mapping(node, deep)


def read(
    path: str, known_hosts: str = KNOWN_HOSTS, bastion_key: str | None = None
) -> dict[str, Hosts]:
    """Return each group's hosts with their data, in the file's order.

    Where hosts are reached through bastions, `known_hosts` holds the keys of these, and
    `bastion_key` is a private key that they let in (None: the agent's, or this account's own).

    Raises:
        InventoryError: there is no such file, it is no YAML, or an entry is not as it should be;
            the text names file, host and key.
    """
    try:
        listed = parsed(Path(path).read_text())
        config = _ssh_config(listed, known_hosts, bastion_key)
    except OSError as error:
        raise InventoryError(f"{path}: {error.strerror}") from error
    except (ListError, UnicodeDecodeError) as error:
        raise InventoryError(f"{path}: {error}") from error
    return {
        group: [(name, _data(h, config)) for name, h in listed.items() if group in h.groups]
        for group in GROUPS
    }


def parsed(text: str) -> dict[str, HostEntry]:
    """Read a host list's text.

    Raises:
        ListError: it is no YAML, or an entry is not as it should be; every one is told.
    """
    try:
        found = yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        raise ListError(f"no YAML: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("hosts"), dict):
        raise ListError("expected one key, 'hosts', with the hosts by their names")
    if len(found) > 1:
        other = ", ".join(str(key) for key in found if key != "hosts")
        raise ListError(f"{other}: unknown key; expected 'hosts' alone")
    entries: dict[str, HostEntry] = {}
    wrong: list[str] = []
    for name, value in found["hosts"].items():
        try:
            entries[name] = entry(name, value)
        except ListError as error:
            wrong.append(str(error))
    if wrong:
        raise ListError("; ".join(wrong))
    return entries


def entry(name: Any, value: Any) -> HostEntry:
    """Validate what is listed under a name.

    Raises:
        ListError: it names the host, each wrong key, and what was expected.
    """
    if not isinstance(name, str) or not name or name.startswith("-") or len(name.split()) != 1:
        raise ListError(
            f"{name}: expected a host's name, one word that does not start with '-'; "
            "put quotes around one that YAML takes for something else"
        )
    if name in RESERVED or set(name) & set("*?[]"):
        raise ListError(
            f"{name}: expected a host's name that --limit takes for nothing else: not "
            f"{', '.join(RESERVED)}, and none of * ? [ ] in it; choose another"
        )
    if not isinstance(value, dict):
        raise ListError(f"{name}: expected {{groups: [...]}}, found {value!r:.80}")
    try:
        return HostEntry.model_validate(value)
    except ValidationError as error:
        raise ListError("; ".join(_told(name, dict(d)) for d in error.errors())) from None


def _told(name: str, details: dict[str, Any]) -> str:
    key, *inside = details["loc"]
    found = details["input"]
    if details["type"] == "extra_forbidden":
        return f"{name}: {key}: unknown key; expected one of: {', '.join(HostEntry.model_fields)}"
    if key == "groups" and details["type"] in ("missing", "too_short"):
        return f"{name}: groups: missing; expected some of: {', '.join(GROUPS)}"
    if key == "groups" and inside:
        known = ", ".join(GROUPS)
        return f"{name}: groups: there is no group {found!r:.80}; expected some of: {known}"
    if details["type"] == "value_error":
        return f"{name}: {key}: {details['msg'].removeprefix('Value error, ')}"
    return f"{name}: {key}: expected {_EXPECTED[str(key)]}, found {found!r:.80}"


_EXPECTED = {
    "groups": "a list of groups",
    "address": "an address or a name",
    "port": "a number from 1 to 65535",
    "user": "a user's name",
    "via": "a list of bastions such as ops@bastion.example:22",
    "data": "keys and values as in group_data",
}


def _ssh_config(
    listed: dict[str, HostEntry], known_hosts: str, bastion_key: str | None
) -> str | None:
    """Write the ssh_config of the hosts behind bastions; None where there are none."""
    ways: dict[str, list[bastions.Hop]] = {}
    for name, host in listed.items():
        address, _ = host.place(name)
        hops = [bastions.hop(each) for each in host.via]
        if ways.setdefault(address, hops) != hops:
            raise ListError(f"{name}: via: {address} is listed before, with another way to it")
    ways = {address: hops for address, hops in ways.items() if hops}
    if not ways:
        return None
    try:
        return bastions.write(bastions.ssh_config(ways, known_hosts, bastion_key))
    except ValueError as error:
        raise ListError(str(error)) from error


def _data(host: HostEntry, config: str | None) -> dict[str, Any]:
    ssh = {
        "ssh_hostname": host.address,
        "ssh_port": host.port,
        "ssh_user": host.user,
        "ssh_config_file": config if host.via else None,
    }
    return {**host.data, **{key: value for key, value in ssh.items() if value is not None}}
