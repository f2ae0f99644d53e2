"""Add a host to a host list's text, or remove one: comments and order stay. Pure."""

from __future__ import annotations

import math
from typing import Any

import yaml

from inventories.host_list import HostEntry, ListError, parsed


def added(text: str, name: str, entry: HostEntry) -> str:
    """Return the list with a host at its end.

    Raises:
        ListError: the list is wrong, it has the name or the address, or has a form that only a
            person can edit.
    """
    listed = parsed(text)
    if name in listed:
        address, port = listed[name].place(name)
        raise ListError(
            f"{name}: is listed already, at {address} port {port} with groups "
            f"{', '.join(listed[name].groups)}; choose another name, or edit its entry"
        )
    for other, its in listed.items():
        if its.place(other) == entry.place(name):
            address, port = entry.place(name)
            raise ListError(f"{name}: {address} port {port} is listed already, as {other}")
    lines, end = _lines(text)
    hosts = _hosts(text)
    if not hosts.value:
        wanted = _without_empty(lines, hosts, end)
        indent, at = 2, hosts.start_mark.line + 1
    else:
        if hosts.flow_style:
            raise _by_hand("its hosts stand in { }")
        wanted = lines
        indent, at = hosts.start_mark.column, _last_line(hosts) + 1
    if wanted and at == len(wanted) and not wanted[-1].endswith("\n"):
        wanted[-1] += end
    new = [f"{' ' * indent}{line}{end}" for line in _dumped(name, entry).splitlines()]
    result = "".join([*wanted[:at], *new, *wanted[at:]])
    return _checked(result, {**listed, name: entry})


def removed(text: str, name: str) -> str:
    """Return the list without a host; comments above its entry stay.

    Raises:
        ListError: the list is wrong, has no such host, or has a form that only a person can edit.
    """
    listed = parsed(text)
    if name not in listed:
        raise ListError(f"{name}: is not listed")
    lines, end = _lines(text)
    hosts = _hosts(text)
    if hosts.flow_style:
        raise _by_hand("its hosts stand in { }")
    key, value = next((k, v) for k, v in hosts.value if k.value == name)
    first, last = key.start_mark.line, _last_line(value)
    left = [*lines[:first], *lines[last + 1 :]]
    if len(listed) == 1:
        at = _key_line(text)
        left[at] = left[at].rstrip("\r\n").split("#")[0].rstrip() + " {}" + end
    return _checked("".join(left), {k: v for k, v in listed.items() if k != name})


def as_data(entry: HostEntry) -> dict[str, Any]:
    """What is written of an entry: what is not as it is anyway."""
    return entry.model_dump(exclude_defaults=True)


def _dumped(name: str, entry: HostEntry) -> str:
    data = as_data(entry)
    flow = True if set(data) == {"groups"} else None
    value = yaml.safe_dump(
        data, sort_keys=False, default_flow_style=flow, width=math.inf, allow_unicode=True
    )
    key = yaml.safe_dump({name: 0}, width=math.inf, allow_unicode=True).rpartition(":")[0]
    if flow:
        return f"{key}: {value}"
    return f"{key}:\n" + "".join(f"  {line}\n" for line in value.splitlines())


def _lines(text: str) -> tuple[list[str], str]:
    """The lines, each with its end; and what ends them."""
    return text.splitlines(keepends=True), "\r\n" if "\r\n" in text else "\n"


def _root(text: str) -> yaml.MappingNode:
    node = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise _by_hand("it is no mapping")
    return node


def _hosts(text: str) -> yaml.MappingNode:
    for key, value in _root(text).value:
        if key.value == "hosts" and isinstance(value, yaml.MappingNode):
            return value
    raise _by_hand("it has no 'hosts'")


def _key_line(text: str) -> int:
    """The line in which `hosts` stands."""
    line: int = next(key.start_mark.line for key, _ in _root(text).value if key.value == "hosts")
    return line


def _without_empty(lines: list[str], hosts: yaml.MappingNode, end: str) -> list[str]:
    """Take the `{}` of an empty list away."""
    at = hosts.start_mark.line
    before, found, after = lines[at].rstrip("\r\n").partition("{}")
    if not found:
        raise _by_hand("its empty { } is not '{}'")
    lines[at] = f"{before.rstrip()}{after.rstrip()}{end}"
    return lines


def _last_line(node: yaml.Node) -> int:
    """The last line that a node stands on; of a block, the marks tell where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    at, column = int(node.end_mark.line), int(node.end_mark.column)
    return at - 1 if column == 0 and at > node.start_mark.line else at


def _checked(text: str, meant: dict[str, HostEntry]) -> str:
    try:
        is_as_meant = list(parsed(text).items()) == list(meant.items())
    except ListError:
        is_as_meant = False
    if not is_as_meant:
        raise _by_hand("another form would come of it than what is meant")
    return text


def _by_hand(why: str) -> ListError:
    return ListError(f"can't be edited by a program: {why}; edit it by hand, and run again")
