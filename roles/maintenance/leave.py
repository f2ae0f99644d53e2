"""Have a host's engine and proxy out of service until a time, whoever lives; and have them back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from pyinfra.api import Host, State

from roles.container.instance import Instance, expected, serving
from roles.maintenance.drain import told
from roles.observed import Drained, channel
from roles.observed.whole_file import put
from roles.proxy import plan as proxy
from roles.proxy import rollout as proxy_rollout
from roles.proxy.drain import await_left
from roles.proxy.status import ask_proxies, telling_proxies, unlisted_proxies
from roles.registry.node import Node, node
from roles.registry.session import DRAIN_PATH, Registry, session
from roles.run.conductor import wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine import judges
from roles.soa_engine import plan as soa_engine
from roles.soa_engine import rollout as soa_engine_rollout

RECORD = "/var/lib/dockyard/drained"
RECORD_S = 30
MARK_S = 10


@dataclass(frozen=True)
class Leaving:
    """One host's leave of absence."""

    state: State
    fleet: Fleet
    member: Member

    @property
    def host(self) -> Host:
        return self.state.inventory.get_host(self.member.name)

    def begin(self, found: Drained) -> None:
        """Write down who is drained, mark it, and return when nobody calls it any more.

        Raises:
            NotProven: somebody does; nothing is taken back here.
        """
        with session(self.host, self.fleet.registry_connection) as registry:
            self._write(replace(found, is_leaving=True))
            _forget_over(registry)
            if self.member.part(soa_engine.ROLE):
                self._send_engine(registry, found)
            if self.member.part(proxy.ROLE):
                self._send_proxy(registry, found)
        self._write(found)

    def stay_away(self, found: Drained) -> None:
        """Have it drained as it was before: who is away is called no more already."""
        with session(self.host, self.fleet.registry_connection) as registry:
            for name in self._names():
                self._mark(registry, name, found)
        self._write(found)

    def _write(self, found: Drained) -> None:
        put(self.state, self.host, RECORD, json.dumps(asdict(found)))

    def end(self) -> None:
        """Take the marks and the record away; return when all that runs here is called again."""
        with session(self.host, self.fleet.registry_connection) as registry:

            def kept() -> str | None:
                still = [name for name in self._names() if not registry.unkeep(name)]
                return f"the mark of {', '.join(still)} still stands" if still else None

            wait_until(self.host, kept, MARK_S)
        channel.run(self.state, self.host, f"rm -f {RECORD}", timeout_s=RECORD_S)

    def prove_back(self) -> None:
        """See that what runs here is registered, and called."""
        for rollout in (soa_engine_rollout.ROLLOUT, proxy_rollout.ROLLOUT):
            part = self.member.part(rollout.role)
            found = serving(self.member.observed, part.container) if part else None
            if found:
                rollout.prove(self.state, self.fleet, self.member, found)
            elif part:
                self.host.log(f"{part.container} does not run; deploy/soa.py starts it")

    def _names(self) -> Iterator[str]:
        if part := self.member.part(soa_engine.ROLE):
            yield soa_engine.name_of(self.member, self._instance(part.container))
        if part := self.member.part(proxy.ROLE):
            yield proxy.name_of(self.member, self._instance(part.container))

    def _instance(self, container: str) -> Instance:
        """What runs, or would: a host that is down anyway may not come back too early either."""
        return expected(self.member.observed, container)

    def _mark(self, registry: Registry, name: str, found: Drained) -> None:
        self.host.log(f"draining {name}")

        def missing() -> str | None:
            stands = registry.keep_marked(name, found.until, told(found, self.member.name))
            return None if stands else f"{name} could not be marked as drained"

        wait_until(self.host, missing, MARK_S)

    def _send_engine(self, registry: Registry, found: Drained) -> None:
        part = soa_engine.engine(self.member)
        name = soa_engine.name_of(self.member, self._instance(part.container))
        limit_s = part.drain.timeout_s if part.drain else MARK_S
        proxies = [*telling_proxies(self.fleet), *unlisted_proxies(self.fleet, registry)]

        def asked(judge: judges.Judge) -> str | None:
            return ask_proxies(self.state, self.fleet, proxies, judge)

        wait_until(self.host, lambda: asked(judges.has_other_than(frozenset({name}))), limit_s)
        self._mark(registry, name, found)
        leaves = part.drain is not None and part.drain.by == "mark" and part.registration
        place = node(part.registration, name) if leaves and part.registration else None

        def held() -> str | None:
            return _still_there(registry, place) or asked(judges.has_let_go(name))

        wait_until(self.host, held, limit_s)

    def _send_proxy(self, registry: Registry, found: Drained) -> None:
        part = proxy.proxy(self.member)
        name = proxy.name_of(self.member, self._instance(part.container))
        if part.drain is None:
            self.host.log("its proxy declares no drain: whoever calls it goes on to")
            return
        self._mark(registry, name, found)
        await_left(self.state, self.member, self._instance(part.container), registry)


def _still_there(registry: Registry, place: Node | None) -> str | None:
    if place is None or registry.has(place.folder, place.name) is False:
        return None
    return f"{place.name} is still registered"


def _forget_over(registry: Registry) -> None:
    """Remove marks whose time is over: they mean nothing any more."""
    now = time.time()
    for mark, until in registry.kept_marks().items():
        if until <= now:
            registry.remove(DRAIN_PATH, mark)
