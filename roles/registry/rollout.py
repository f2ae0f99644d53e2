"""How a server of the registry is proven: the quorum has one leader, and all follow it."""

from __future__ import annotations

import socket

from pyinfra.api import State

from roles.container.rollout import Rollout
from roles.observed.tunnel import forwarded
from roles.registry.plan import ROLE, container, server
from roles.run.conductor import wait_until
from roles.run.fleet import Fleet, Member

ASK_S = 3


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


def drain(state: State, fleet: Fleet, member: Member) -> None:
    """See that the other servers serve, before one is taken away: the quorum must outlive it."""
    others = [other for other in fleet.registry_servers if other.name != member.name]

    def missing() -> str | None:
        silent = [other.name for other in others if mode(state, other) is None]
        return f"{', '.join(silent)} serves nobody, so none can be taken away" if silent else None

    wait_until(state.inventory.get_host(member.name), missing, server(member).ready_timeout_s)


def prove(state: State, fleet: Fleet, member: Member) -> None:
    """Wait until the whole ensemble serves, with one leader."""

    def missing() -> str | None:
        modes = {other.name: mode(state, other) for other in fleet.registry_servers}
        silent = [name for name, found in modes.items() if found is None]
        if silent:
            return f"{', '.join(silent)} serves nobody yet"
        leaders = [name for name, found in modes.items() if found in ("leader", "standalone")]
        return None if len(leaders) == 1 else f"expected one leader, found {leaders or 'none'}"

    wait_until(state.inventory.get_host(member.name), missing, server(member).ready_timeout_s)


ROLLOUT = Rollout(ROLE, container, prove=prove, drain=drain)
