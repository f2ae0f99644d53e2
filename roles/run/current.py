"""The fleet as it is at this moment of a run; the survey opens it, everything else reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from gevent.lock import BoundedSemaphore
from gevent.pool import Pool
from pyinfra.api import Host, Inventory, State

from roles.observed import Look, Observed, is_fresh, observe
from roles.observed.channel import RemoteError
from roles.observed.parse import ProbeError
from roles.run.connecting import AT_ONCE
from roles.run.fleet import Fleet

_reading = BoundedSemaphore()
_fleets: WeakKeyDictionary[Inventory, Fleet] = WeakKeyDictionary()


def current_fleet(state: State) -> Fleet:
    """Return the surveyed fleet; hosts on which something has changed since are read again.

    Where nothing has changed, no greenlet is switched: pyinfra counts on that between its look
    whether a `_run_once` operation was added already, and adding it.

    Raises:
        RuntimeError: no survey was made.
        RemoteError: a host could not be read any more, or its Docker engine has stopped answering.
    """
    fleet = surveyed_fleet(state)
    if all(is_fresh(state, state.inventory.get_host(member.name)) for member in fleet):
        return fleet
    with _reading:
        return _read_again(state)


def surveyed_fleet(state: State) -> Fleet:
    """Return the fleet as it was read last; no host is read again.

    Raises:
        RuntimeError: no survey was made.
    """
    try:
        return _fleets[state.inventory]
    except KeyError:
        raise RuntimeError("call survey() before anything else in a deploy file") from None


def _read_again(state: State) -> Fleet:
    """Read what has changed. Whoever waited here finds that another has done it."""
    fleet = surveyed_fleet(state)
    hosts = {member.name: state.inventory.get_host(member.name) for member in fleet}
    changed = [host for host in hosts.values() if not is_fresh(state, host)]
    observed = observe_all(state, dict.fromkeys(changed))
    read: dict[str, Observed] = {}
    for host, result in observed.items():
        if not isinstance(result, Observed):
            raise RemoteError(f"{host.name}: {result}") from result
        if result.docker_version is None and fleet[host.name].observed.docker_version:
            raise RemoteError(f"{host.name}: the Docker engine does not answer any more")
        read[host.name] = result
    fleet = replace(
        fleet,
        members=tuple(replace(m, observed=read.get(m.name, m.observed)) for m in fleet),
    )
    remember(state, fleet)
    return fleet


def remember(state: State, fleet: Fleet) -> None:
    _fleets[state.inventory] = fleet


def is_surveyed(state: State) -> bool:
    return state.inventory in _fleets


def observe_all(
    state: State, looks: Mapping[Host, Look | None]
) -> dict[Host, Observed | RemoteError | ProbeError]:
    """Read many hosts at once. A host that can't be read has its error for a value."""

    def read(host: Host) -> Any:
        try:
            return observe(state, host, looks[host])
        except (RemoteError, ProbeError) as error:
            return error

    hosts = list(looks)
    return dict(zip(hosts, Pool(AT_ONCE).map(read, hosts), strict=True))
