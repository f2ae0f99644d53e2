"""How a server of the registry is proven: the quorum has one leader, and all follow it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.pool import Pool
from pyinfra.api import Host, State

from roles.container.instance import Instance
from roles.container.rollout import Rollout
from roles.observed.tunnel import forwarded
from roles.registry.data import server
from roles.registry.ensemble import ensemble, is_member, leaving, members
from roles.registry.plan import ROLE, container
from roles.run.conductor import Away, NotProven, wait_until
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


def modes(state: State, servers: list[Member]) -> dict[str, str | None]:
    """What each server says it is, by host name."""
    found = Pool(AT_ONCE).map(lambda member: mode(state, member), servers)
    return dict(zip((member.name for member in servers), found, strict=True))


def leader_last(state: State, fleet: Fleet, treated: list[Member]) -> list[Member]:
    """Order what is to be treated so that the ensemble's leader, where it is among it, goes last.

    Each time that the leader goes, the others elect one, and serve nobody meanwhile.
    """
    servers = [m for m in treated if m in fleet.registry_servers]
    if len(servers) < 2:
        return treated
    leaders = [name for name, found in modes(state, servers).items() if found == "leader"]
    return sorted(treated, key=lambda member: member.name in leaders)


@contextmanager
def aside(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """See that the other servers serve, before one is taken away: the quorum must outlive it."""
    others = [other for other in members(fleet) if other.name != member.name]

    def missing() -> str | None:
        silent = [name for name, found in modes(state, others).items() if found is None]
        return f"{', '.join(silent)} serves nobody, so none can be taken away" if silent else None

    wait_until(state.inventory.get_host(member.name), missing, server(member).ready_timeout_s)
    yield


def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Wait until the whole ensemble serves, with one leader."""
    host = state.inventory.get_host(member.name)
    prove_ensemble(state, host, members(fleet), are_all=not leaving(fleet))


def prove_ensemble(state: State, host: Host, servers: list[Member], *, are_all: bool) -> None:
    """Wait until these servers serve, with one leader; it is said of `host` what is waited for.

    Unless they `are_all` of the ensemble, another may be the one that leads.
    """

    def missing() -> str | None:
        found = modes(state, servers)
        silent = [name for name, said in found.items() if said is None]
        if silent:
            return f"{', '.join(silent)} serves nobody yet"
        leaders = [name for name, said in found.items() if said in ("leader", "standalone")]
        is_right = len(leaders) == 1 or not (leaders or are_all)
        return None if is_right else f"expected one leader, found {leaders or 'none'}"

    wait_until(host, missing, max(server(member).ready_timeout_s for member in servers))


def prove_synced(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Wait until a server that is to join follows the leader, whose data it has then copied."""

    def missing() -> str | None:
        said = mode(state, member)
        return None if said == "follower" else "it does not follow the ensemble's leader yet"

    wait_until(state.inventory.get_host(member.name), missing, server(member).ready_timeout_s)


def serving_member(state: State, fleet: Fleet) -> Member:
    """A member that serves: the one that leads, where that is known.

    Raises:
        NotProven: none does.
    """
    found = modes(state, members(fleet))
    for said in ("leader", "follower"):
        if name := next((name for name, mode in found.items() if mode == said), None):
            return fleet[name]
    text = (
        f"the ensemble {ensemble(fleet)} serves nobody: it has lost its quorum, and without one "
        "its members can't be changed; first have all serve with the group `registry` as it was"
    )
    raise NotProven(text)


def _while_it_serves(state: State, fleet: Fleet, treated: list[Member]) -> list[Member]:
    """As listed; none is started in vain."""
    serving_member(state, fleet)
    return treated


ROLLOUT = Rollout(
    ROLE,
    container,
    prove=prove,
    aside=aside,
    order=leader_last,
    one_at_a_time=lambda members: True,
    treats=is_member,
)

JOINING = Rollout(
    ROLE,
    container,
    prove=prove_synced,
    order=_while_it_serves,
    one_at_a_time=lambda members: True,
    treats=lambda fleet, member: not is_member(fleet, member),
)
"""Servers that are no members yet: nobody misses them."""
