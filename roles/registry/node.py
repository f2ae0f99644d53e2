"""Where a part's node stands in the registry, and how its name is built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

_PATTERN = re.compile(r"((?:/[^/{}\s]+)+)/([^/\s]+)")
_FIELDS = ("{address}", "{port}")


@dataclass(frozen=True)
class Node:
    folder: str
    name: str


def _pattern(value: str) -> str:
    found = _PATTERN.fullmatch(value)
    rest = found[2] if found else ""
    for field in _FIELDS:
        rest = rest.replace(field, "", 1) if field in rest else "{"
    if "{" in rest or "}" in rest:
        raise ValueError(
            "expected the path of a node whose name holds {address} and {port}, as "
            f"'/osp/services/sayhello/engines/{{address}}:{{port}}', found '{value}'"
        )
    return value


Registration = Annotated[str, AfterValidator(_pattern)]
"""The path of a part's node, with `{address}` and `{port}` in its name."""


def node(pattern: str, endpoint: str) -> Node:
    """The node of who is reached at `endpoint`, as `198.18.1.2:1080` or `[2001:db8::1]:1080`."""
    folder, _, name = pattern.rpartition("/")
    address, _, port = endpoint.rpartition(":")
    return Node(folder, name.replace("{address}", address).replace("{port}", port))


def endpoint_of(pattern: str, name: str) -> str | None:
    """Who is reached where a node of that name says; None where no part of the pattern made it."""
    quoted = re.escape(pattern.rpartition("/")[2])
    for field, form in (("address", r"(?P<address>\[?[\w.:-]+?\]?)"), ("port", r"(?P<port>\d+)")):
        quoted = quoted.replace(re.escape(f"{{{field}}}"), form)
    found = re.fullmatch(quoted, name)
    return f"{found['address']}:{found['port']}" if found else None
