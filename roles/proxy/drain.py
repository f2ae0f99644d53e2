"""How a proxy is called no more before its host goes away: it leaves the registry first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyinfra import logger
from pyinfra.api import State

from roles.container.instance import Instance
from roles.observed.holding import dropped
from roles.proxy.plan import name_of, proxy
from roles.proxy.status import listed_engines, telling_proxy
from roles.registry.node import node
from roles.registry.session import Registry, session
from roles.run.conductor import Away, NotProven, wait_until
from roles.run.fleet import Fleet, Member

MARK_S = 10
QUIET_S = 2
"""Without a request for so long, a proxy is called no more: its callers follow the registry."""


@contextmanager
def departing(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """Have callers turn to other proxies, for as long as this run wants it.

    Raises:
        NotProven: it does not leave the registry in time.
    """
    if proxy(member).drain is None:
        yield
        return
    host, name = state.inventory.get_host(member.name), name_of(member, instance)
    away |= dropped(state.inventory)
    via = state.inventory.get_host(fleet.staying(member, away).name)
    with session(via, fleet.registry_connection) as registry:

        def missing() -> str | None:
            if registry.has_marked(name):
                return None
            registry.mark(name, "its host goes away")
            return f"{name} could not be marked as drained"

        host.log(f"draining {name}")
        try:
            wait_until(host, missing, MARK_S)
            await_left(state, member, instance, registry)
            yield
        finally:
            registry.unmark(name)


def await_left(state: State, member: Member, instance: Instance, registry: Registry) -> None:
    """Wait until a marked proxy is out of the registry, and called no more.

    Who goes on calling its address is named, and no failure: nobody can tell him.

    Raises:
        NotProven: it is still registered in the end.
    """
    part, host = proxy(member), state.inventory.get_host(member.name)
    limit_s = part.drain.timeout_s if part.drain else MARK_S
    if part.registration:
        place = node(part.registration, name_of(member, instance))

        def registered() -> str | None:
            gone = registry.has(place.folder, place.name) is False
            return None if gone else f"{place.name} is still registered"

        wait_until(host, registered, limit_s)
    try:
        _await_quiet(state, member, instance, limit_s)
    except NotProven as error:
        host.log(f"{error}; its callers don't follow the registry", logger.warning)


def _await_quiet(state: State, member: Member, instance: Instance, limit_s: int) -> None:
    asked = telling_proxy(member, instance)
    if asked is None:
        return
    host, seen, since = state.inventory.get_host(member.name), -1, time.monotonic()

    def busy() -> str | None:
        nonlocal seen, since
        listing = listed_engines(state, asked)
        if listing is None:
            return None
        served = sum(engine.served for engine in listing.engines.values())
        in_flight = sum(engine.in_flight for engine in listing.engines.values())
        if served != seen or in_flight:
            seen, since = served, time.monotonic()
        if time.monotonic() - since >= QUIET_S:
            return None
        return f"its proxy is still called, {in_flight} requests in flight"

    wait_until(host, busy, limit_s)
