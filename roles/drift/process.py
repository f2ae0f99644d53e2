"""A check in a process of its own: pyinfra's inventory and connections, without its command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api import Host, State
from pyinfra.api.exceptions import ConnectError

from roles.run import loading
from roles.run.connecting import AT_ONCE, listen
from roles.run.inventory import loaded

if TYPE_CHECKING:
    from roles.drift.model import Report

LOADED_MEANWHILE = (
    "pydantic",
    "roles.run.model",
    "roles.run.address",
    "roles.host_setup.spec",
    "roles.container.spec",
    "roles.run.wanted",
    "roles.container.plan",
    "roles.host_check.plan",
    "roles.docker_engine.plan",
    "roles.proxy.status",
    "roles.registry.rollout",
    "roles.drift.hosts",
    "roles.run.reading",
    "roles.drift.check",
    "roles.drift.report",
)
"""What a check needs beyond connections, in small steps: it loads while the hosts let us in."""


def check_inventory(
    path: str, limit: Sequence[str], data: Mapping[str, Any], folder: str
) -> Report:
    """Check an inventory's hosts; group_data is read from `folder`, the project's.

    Raises:
        Unusable: there is no such inventory, or nothing in it is meant.
        Refused: the data is wrong.
    """
    with loaded(path, folder, data, limit, before=partial(listen, limit=limit)) as state:
        slots, hosts = BoundedSemaphore(AT_ONCE), filter(state.is_host_in_limit, state.inventory)
        connecting = [gevent.spawn(_connect, state, host, slots) for host in hosts]
        try:
            loading.in_steps(LOADED_MEANWHILE)
            from roles.drift.check import check

            gevent.joinall(connecting, raise_error=True)
            return check(state, path)
        finally:
            gevent.killall(connecting)
            _close(state)


def _connect(state: State, host: Host, slots: BoundedSemaphore) -> None:
    with slots:
        try:
            host.connect(show_errors=False, raise_exceptions=True)
        except ConnectError:
            return  # it is kept, and told
        state.activate_host(host)


def _close(state: State) -> None:
    """Close every connection; pyinfra's own `disconnect` leaves the sockets open."""
    for host in state.inventory:
        client = getattr(host.connector, "client", None)
        if client:
            client.close()
