"""How a server of the registry is proven: the quorum has one leader, and all follow it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.pool import Pool
from pyinfra.api import State

from roles.container.instance import Instance
from roles.container.rollout import Rollout
from roles.observed.tunnel import forwarded
from roles.registry.plan import ROLE, container, server
from roles.run.conductor import Away, wait_until
from roles.run.fleet import Fleet, Member

ASK_S = 3
AT_ONCE = 7


def mode(state: State, member: Member) -> str | None:
    """What a server says it is: `leader`, `follower` or `standalone`; None while it serves nobody.

    From ZooKeeper's four-letter word `srvr`.
    """
    host = state.inventory.get_host(member.name)
    with forwarded(host, str(member.address), server(member).port) as (address, port):
        try:
            answer = ask(address, port, b"srvr")
        except OSError:
            return None
    lines = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    return lines.get("Mode")


def ask(address: str, port: int, word: bytes) -> str:
    """Send a four-letter word and return the answer."""
    with socket.create_connection((address, port), timeout=ASK_S) as connection:
        connection.settimeout(ASK_S)
        connection.sendall(word)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return answer.decode("utf-8", errors="replace")


def modes(state: State, members: list[Member]) -> dict[str, str | None]:
    """What each server says it is, by host name."""
    found = Pool(AT_ONCE).map(lambda member: mode(state, member), members)
    return dict(zip((member.name for member in members), found, strict=True))


def leader_last(state: State, fleet: Fleet, members: list[Member]) -> list[Member]:
    """Order what is to be treated so that the ensemble's leader, where it is among it, goes last.

    Each time that the leader goes, the others elect one, and serve nobody meanwhile.
    """
    servers = [m for m in members if m in fleet.registry_servers]
    if len(servers) < 2:
        return members
    leaders = [name for name, found in modes(state, servers).items() if found == "leader"]
    return sorted(members, key=lambda member: member.name in leaders)


@contextmanager
def aside(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """See that the other servers serve, before one is taken away: the quorum must outlive it."""
    others = [other for other in fleet.registry_servers if other.name != member.name]

    def missing() -> str | None:
        silent = [name for name, found in modes(state, others).items() if found is None]
        return f"{', '.join(silent)} serves nobody, so none can be taken away" if silent else None

    wait_until(state.inventory.get_host(member.name), missing, server(member).ready_timeout_s)
    yield


def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Wait until the whole ensemble serves, with one leader."""

    def missing() -> str | None:
        found = modes(state, fleet.registry_servers)
        silent = [name for name, said in found.items() if said is None]
        if silent:
            return f"{', '.join(silent)} serves nobody yet"
        leaders = [name for name, said in found.items() if said in ("leader", "standalone")]
        return None if len(leaders) == 1 else f"expected one leader, found {leaders or 'none'}"

    wait_until(state.inventory.get_host(member.name), missing, server(member).ready_timeout_s)


ROLLOUT = Rollout(
    ROLE,
    container,
    prove=prove,
    aside=aside,
    order=leader_last,
    one_at_a_time=lambda members: True,
)
