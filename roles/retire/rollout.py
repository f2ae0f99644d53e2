"""How a host leaves: drained, its containers ended, its nodes gone, then what it has kept."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import replace

from pyinfra import logger
from pyinfra.api import FunctionCommand, Host, State
from pyinfra.api.command import PyinfraCommand

from roles.container.commands import UPDATED
from roles.container.exchange import DOCKER_S, Exchange
from roles.docker_engine.rollout import aside_of, running_parts
from roles.maintenance.leave import RECORD
from roles.observed import Container, channel, forget
from roles.observed.releases import PINS, RELEASES
from roles.registry.node import node
from roles.registry.registrants import registrants
from roles.registry.session import session
from roles.retire.plan import before, changes, containers, data, images, leaving
from roles.run.conductor import Away, Treatment, conduct, wait_until
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member

GONE_S = 60
PURGE_S = 600
STOP_S = 10
"""What Docker gives a container that says nothing of it."""
OWN = (RELEASES, PINS, UPDATED, RECORD)
"""What Dockyard has written down on a host, but for the lease, which this run has."""


def commands(state: State) -> Generator[PyinfraCommand, None, None]:
    """What the operation yields; to be called with `_run_once`."""
    if leaving(current_fleet(state)):
        yield FunctionCommand(_conduct, (), {})


def _conduct(state: State, host: Host) -> bool:
    """Have the hosts leave one by one. Servers of the registry are members no more by now."""
    fleet = current_fleet(state)
    members = [before(member) for member in leaving(fleet)]
    left = {member.name for member in members}
    treatments = [_treatment(state, member, left) for member in members]
    done = conduct(state, treatments, members[0].wanted.rollout.one_by_one, len(fleet.members))
    for treatment in treatments:
        forget(treatment.host)
    return done


def _with(fleet: Fleet, names: set[str]) -> Fleet:
    """The fleet in which these hosts still run their parts: nobody of them has left yet."""
    return replace(fleet, members=tuple(before(m) if m.name in names else m for m in fleet.members))


def _treatment(state: State, member: Member, left: set[str]) -> Treatment:
    """`left` are the names of those that have yet to leave; this one is taken out of it."""
    host = state.inventory.get_host(member.name)

    def aside(away: Away) -> AbstractContextManager[None]:
        fleet = _with(current_fleet(state), left)
        return aside_of(state, fleet, member, running_parts(member), away)

    def apply(away: Away) -> None:
        for container in containers(member):
            host.log(f"removing container {container.name}")
            _remove(state, host, member, container)
        left.discard(member.name)

    def prove() -> None:
        _prove_gone(state, host, member)
        _clear(state, host, member)

    return Treatment(host, tuple(changes(member)), aside, apply, prove)


def _remove(state: State, host: Host, member: Member, container: Container) -> None:
    config = (container.inspect or {}).get("Config") or {}
    stop_s = int(config.get("StopTimeout") or STOP_S)
    exchange = Exchange(container.name, stop_s)
    channel.run(
        state,
        host,
        exchange.command(["stop_and_remove", container.name]),
        timeout_s=exchange.limit_s,
        called=f"removing container {container.name}",
    )


def _prove_gone(state: State, host: Host, member: Member) -> None:
    """See that nothing of it is registered or drained any more: what outlives it is removed."""
    fleet = current_fleet(state)
    via = next(other for other in fleet if not other.is_leaving)
    gone = list(registrants(Fleet((member,))))
    if not gone:
        return
    with session(state.inventory.get_host(via.name), fleet.registry_connection) as registry:

        def missing() -> str | None:
            nodes = [node(each.pattern, each.usual_name) for each in gone]
            still = [n.name for n in nodes if not registry.remove(n.folder, n.name)]
            still += [each.usual_name for each in gone if not registry.unkeep(each.usual_name)]
            return f"{', '.join(still)} is still known to the registry" if still else None

        wait_until(host, missing, GONE_S)


def _clear(state: State, host: Host, member: Member) -> None:
    """Remove images, records and, where that is wished, data. An image in use stays."""
    for tag in images(member):
        words = ["docker", "image", "rm", tag]
        found = channel.run(state, host, words, timeout_s=DOCKER_S, check=False)
        if found.exit_code != 0:
            host.log(f"image {tag} stays: {found.stderr_text}", logger.warning)
    channel.run(state, host, shlex.join(["rm", "-rf", *OWN]), timeout_s=DOCKER_S)
    if member.wanted.purge and (paths := data(member)):
        host.log(f"removing {', '.join(paths)}")
        channel.run(state, host, shlex.join(["rm", "-rf", "--", *paths]), timeout_s=PURGE_S)
