"""What stands in the data directory of a server of ours, and what was read of it. Pure."""

from __future__ import annotations

from roles.observed import Newest
from roles.registry.spec import RegistryServer
from roles.run.fleet import Member

SERVER_IDS = range(1, 256)
MYID, INITIALIZE, HISTORY = "myid", "initialize", "version-2"
MEMBERS = "members"
"""The members that a server is given to begin with: `VERSION 1=ADDRESS,2=ADDRESS,...`. They count
until it knows of something newer than VERSION (files/README.md)."""
AGREED = "zoo.cfg.dynamic"
"""With `.VERSION` behind it: the members that were agreed on, as ZooKeeper keeps them."""
PASSWORD = "super"
"""The password of who may change the members through this server: made by its start script."""


def server(member: Member) -> RegistryServer:
    assert member.wanted.registry.server is not None, f"{member.name} runs no registry"
    return member.wanted.registry.server


def path(member: Member, name: str) -> str:
    return f"{server(member).data.host}/{name}"


def myid_path(member: Member) -> str:
    return path(member, MYID)


def members_path(member: Member) -> str:
    return path(member, MEMBERS)


def history_path(member: Member) -> str:
    """Where a server that has run keeps its snapshots and logs."""
    return path(member, HISTORY)


def recorded_id(member: Member) -> int | None:
    """The ID that stands in the host's data directory."""
    line = member.observed.first_lines.get(myid_path(member), "")
    return int(line) if line.isdecimal() and int(line) in SERVER_IDS else None


def agreed(member: Member) -> Newest | None:
    """The newest members that this server knows to be agreed on."""
    return member.observed.newest.get(path(member, AGREED))
