"""Change who the members of our own ensemble are while it serves: one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gevent import Timeout
from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    KazooException,
    NewConfigNoQuorumError,
    NoAuthError,
    ReconfigInProcessError,
)
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.handlers.threading import KazooTimeoutError
from pyinfra import logger
from pyinfra.api import Host, State

from roles.observed import channel, forget
from roles.observed.tunnel import forwarded
from roles.registry.data import PASSWORD, path, server
from roles.registry.ensemble import members, plain, read_agreed
from roles.registry.plan import ROLE, MemberStep, member_steps
from roles.registry.rollout import modes, prove_ensemble, serving_member
from roles.registry.session import CONNECT_S, SESSION_S, close
from roles.registry.spec import PEER_PORTS
from roles.run.address import endpoint
from roles.run.conductor import FAILURES, NotProven, exit_if_interrupted, wait_until
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member
from roles.run.report import done

CONFIG = "/zookeeper/config"
"""The node that holds the members; whoever changes them needs the right to write it."""
ASK_S = 20
_UNTOLD = (KazooException, KazooTimeoutError, Timeout)

_silent = logging.getLogger("dockyard.registry.members")
_silent.disabled = True
"""kazoo tells each request at the level DEBUG, also the one that holds the password."""


@dataclass(frozen=True)
class Agreed:
    """What the ensemble has agreed on."""

    version: int
    lines: Mapping[int, str]
    """Server ID to `ADDRESS:2888:3888:participant`."""

    def has(self, number: int, address: str | None) -> bool:
        """Whether a member is where it is to be; None: it is none."""
        line = self.lines.get(number)
        found = read_agreed([f"server.{number}={line}"])[number] if line else None
        return found == (plain(address) if address else None)

    def becomes(self, number: int, address: str | None) -> str:
        """The members with one set, or left away, in the form that ZooKeeper takes."""
        lines = {other: line for other, line in self.lines.items() if other != number}
        if address:
            peer, election = PEER_PORTS
            lines[number] = f"{endpoint(address, peer)}:{election}:participant"
        return ",".join(f"server.{each}={line}" for each, line in sorted(lines.items()))


def change_members(state: State, host: Host) -> bool:
    """Have the ensemble take in who is to join, then let go who is to leave; False: that failed.

    Each is agreed on, and proven, before the next: at no time do two majorities exist.
    """
    fleet = current_fleet(state)
    steps = member_steps(fleet)
    try:
        ordered = _leader_last(state, fleet, steps)
        joined: list[Member] = []
        for step in ordered:
            exit_if_interrupted()
            still_leaving = any(s.address is None for s in ordered[ordered.index(step) + 1 :])
            if step.address:
                joined.append(fleet[step.change.host])
            _take(state, fleet, step, joined, are_all=not still_leaving)
    except FAILURES as error:
        logger.error(f"{ROLE}: {error}")
        return False
    finally:
        _forget(state, fleet)
    return True


def _take(
    state: State, fleet: Fleet, step: MemberStep, joined: list[Member], *, are_all: bool
) -> None:
    """Through a member that stays; servers that have just joined are proven with the others.

    From then on one of these may be the one that leads.
    """
    via = serving_member(state, fleet)
    reconfigure(state, via, step.number, step.address)
    proven = [*members(fleet), *joined]
    prove_ensemble(state, state.inventory.get_host(via.name), proven, are_all=are_all)
    done(state, step.change)
    if step.address is None:
        logger.info(f"    server {step.number} has left the ensemble; its container may be stopped")


def _leader_last(state: State, fleet: Fleet, steps: list[MemberStep]) -> list[MemberStep]:
    """As planned, but who leads, where it is known and to leave, after all the others.

    Only a host that is still in the inventory can be asked.
    """
    leaving = [step.number for step in steps if step.address is None]
    if len(leaving) < 2:
        return steps
    with stewardship(state, serving_member(state, fleet)) as client:
        addresses = read_agreed(f"server.{n}={line}" for n, line in read(client).lines.items())
    gone = [m for m in fleet if m.wanted.registry.server and str(m.address) in addresses.values()]
    leads = {str(m.address) for m in gone if modes(state, [m])[m.name] == "leader"}
    return sorted(steps, key=lambda s: s.address is None and addresses.get(s.number) in leads)


def reconfigure(state: State, via: Member, number: int, address: str | None) -> None:
    """Have the ensemble agree on a member at `address`; with None on being without it.

    Nothing where it has.

    Raises:
        NotProven: it does not agree in time.
        RemoteError, OSError: `via` could not be asked.
    """
    host = state.inventory.get_host(via.name)
    with stewardship(state, via) as client:

        def missing() -> str | None:
            try:
                found = read(client)
                if found.has(number, address):
                    return None
                channel.ask_lease(state, host)
                wanted = found.becomes(number, address)
                client.reconfig_async(None, None, wanted, found.version).get(timeout=ASK_S)
                return (
                    None if read(client).has(number, address) else "the members are not agreed on"
                )
            except NewConfigNoQuorumError:
                return "most of the new members do not follow the leader yet"
            except (ReconfigInProcessError, BadVersionError):
                return "others are changing the members"
            except NoAuthError:
                text = f"{path(via, PASSWORD)} is not the server's password any more; restart it"
                raise NotProven(text) from None
            except _UNTOLD:
                return "the registry does not answer: it has no leader, or has lost its quorum"

        wait_until(host, missing, server(via).ready_timeout_s)


def read(client: KazooClient) -> Agreed:
    """Read what the ensemble has agreed on."""
    text = client.get_async(CONFIG).get(timeout=ASK_S)[0].decode()
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    lines = {int(key[7:]): line for key, line in pairs.items() if key.startswith("server.")}
    return Agreed(int(pairs["version"], 16), lines)


@contextmanager
def stewardship(state: State, via: Member) -> Iterator[KazooClient]:
    """Open a session, through one server, that may change the members.

    Its password is on that host, and goes nowhere but through SSH back to it.

    Raises:
        RemoteError: the host could not be asked, or has no such password.
        ConnectionError: the server did not answer within 10 s.
    """
    host = state.inventory.get_host(via.name)
    told = bytearray()
    words = ["cat", path(via, PASSWORD)]
    called = "reading the password of the registry's members"
    channel.run(state, host, words, timeout_s=ASK_S, on_stdout=told.extend, called=called)
    with forwarded(host, str(via.address), server(via).port) as (address, port):
        client = KazooClient(
            hosts=endpoint(address, port),
            handler=SequentialGeventHandler(),
            timeout=SESSION_S,
            auth_data=[("digest", f"super:{told.decode().strip()}")],
            logger=_silent,
        )
        try:
            client.start(timeout=CONNECT_S)
            yield client
        except (*_UNTOLD, TimeoutError) as error:
            text = f"the registry's server on {via.name} does not answer"
            raise ConnectionError(text) from error
        finally:
            close(client)


def _forget(state: State, fleet: Fleet) -> None:
    """All servers know of other members now."""
    for member in fleet.registry_servers:
        forget(state.inventory.get_host(member.name))
