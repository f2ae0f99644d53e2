"""How an engine is drained, and how its return is proven: by the registry and by every proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import gevent
from pyinfra.api import State

from roles.container import commands
from roles.container.exchange import DOCKER_S, RUNS_SINCE, Exchange
from roles.container.instance import NEXT, Instance, serving
from roles.container.rollout import Rollout, prove_steady
from roles.observed import channel
from roles.observed.held import held
from roles.observed.holding import dropped
from roles.proxy.status import TellingProxy, ask_proxies, telling_proxies, unlisted_proxies
from roles.registry.node import Node, node
from roles.registry.session import Registry, session
from roles.run.conductor import Away, wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine import judges
from roles.soa_engine.plan import ROLE, container, engine, name_of, running_name, successor
from roles.soa_engine.reach import prove_reached

READY_S = 10
HOLD_S = 1800
"""How long a host waits, beyond the drain, for the word that it need not ask its engine back."""


@contextmanager
def aside(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """Have nobody call an engine any more: every proxy has let it go, and it has left.

    Not before every proxy has another to turn to. Ended when the engine is stopped, or serves on.

    Raises:
        NotProven: a proxy, or the registry, did not let it go in time; it is then asked back.
    """
    host, name = state.inventory.get_host(member.name), name_of(member, instance)
    if _is_alone(fleet, member, instance):
        host.log(f"{name} is the only engine: callers will notice that it is replaced")
        yield
        return
    with relieved(state, fleet, member, instance, away):
        yield


@contextmanager
def relieved(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    """The same for an engine that is not the only one."""
    host, name = state.inventory.get_host(member.name), name_of(member, instance)
    gone = frozenset(n for other in away if (n := _running_name(fleet, other)))
    away |= dropped(state.inventory)
    via = state.inventory.get_host(fleet.staying(member, away).name)
    with session(via, fleet.registry_connection) as registry:
        proxies = [*telling_proxies(fleet), *unlisted_proxies(fleet, registry)]
        other = judges.has_other_than(gone | {name})
        wait_until(host, lambda: ask_proxies(state, fleet, proxies, other), _drain_s(member))
        drain = _Drain(state, fleet, member, instance, registry, proxies)
        try:
            with drain.way_back:
                drain.begin()
                drain.await_gone()
                yield
            drain.forget_node()
        finally:
            registry.unmark(name)


def _drain_s(member: Member) -> int:
    drain = engine(member).drain
    return drain.timeout_s if drain else READY_S


def _is_alone(fleet: Fleet, member: Member, instance: Instance) -> bool:
    """Whether nobody else can serve: a host that was not read may."""
    own = engine(member).container
    found = [member.observed.container(name) for name in (own, f"{own}{NEXT}")]
    twins = [c for c in found if c and c.running and c.name != instance.name]
    return not twins and len(fleet.in_service(ROLE)) == 1 and not fleet.unreachable


def _running_name(fleet: Fleet, host: str) -> str | None:
    member = fleet[host]
    return running_name(member) if member.part(ROLE) else None


class _Drain:
    """One engine on its way out, and back where that fails."""

    def __init__(
        self,
        state: State,
        fleet: Fleet,
        member: Member,
        instance: Instance,
        registry: Registry,
        proxies: list[TellingProxy],
    ) -> None:
        pattern = engine(member).registration
        self._state, self._fleet, self._member = state, fleet, member
        self._host = state.inventory.get_host(member.name)
        self._instance, self._registry, self._proxies = instance, registry, proxies
        self._name = name_of(member, instance)
        self._node = node(pattern, self._name) if pattern else None
        self._made: int | None = None
        self._is_removed = self._is_held = False
        self.way_back = ExitStack()
        """Left by an error it asks the engine back where the mark alone does not, which goes by
        itself. So does the host, should nobody be left to ask it."""

    def begin(self) -> None:
        """Mark the engine in the registry; where it knows a signal instead, send that, too."""
        self._host.log(f"draining {self._name}")
        if self._node:
            self._made = self._registry.made(self._node.folder, self._node.name)

        def missing() -> str | None:
            return None if self._has_marked() else f"{self._name} could not be marked as drained"

        wait_until(self._host, missing, READY_S)
        drain = engine(self._member).drain
        if drain is None:
            self._host.log("it declares no drain: the proxies alone are asked to let it go")
        elif drain.signal:
            self._ask_by_signal(drain.signal, drain.undrain_signal)

    def _ask_by_signal(self, leave: str, come_back: str | None) -> None:
        if come_back:
            self._hold_ready(lambda container: commands.signal(container, come_back))
        else:
            self.way_back.push(self._say_that_it_is_left)
        signal = commands.signal(self._instance.name, leave)
        channel.run(self._state, self._host, signal, timeout_s=DOCKER_S)

    def _say_that_it_is_left(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._host.log("is left drained: it declares no undrain_signal")

    def _has_marked(self) -> bool:
        """Whether the mark stands; where it does not it is made, to be asked for once more."""
        if self._registry.has_marked(self._name):
            return True
        self._registry.mark(self._name, "rollout")
        return False

    def await_gone(self) -> None:
        """Wait until the registry and every proxy have let the engine go."""
        wait_until(self._host, self._held, _drain_s(self._member))
        if not self._proxies:
            wait_s = engine(self._member).drain_wait_s
            self._host.log(
                "whether the proxies have let it go is not provable: they tell no status; "
                f"it serves on for {wait_s} s"
            )
            gevent.sleep(wait_s)

    def _held(self) -> str | None:
        """Who holds on to the engine. A mark that was lost meanwhile lets all begin anew."""
        lost = f"the mark that drains {self._name} is not ours"
        if not self._has_marked():
            return lost
        registered = self._still_registered()
        if registered:
            return registered
        proxies = ask_proxies(
            self._state, self._fleet, self._proxies, judges.has_let_go(self._name)
        )
        return proxies or (None if self._registry.has_marked(self._name) else lost)

    def _still_registered(self) -> str | None:
        """Where nobody takes the node away, neither the engine nor the proxies, we do."""
        leaves = engine(self._member).drain is not None
        if self._node is None or (not leaves and self._proxies):
            return None
        if not leaves and not self._is_removed:
            self._hold_restart()
            self._is_removed = self._registry.remove(self._node.folder, self._node.name)
        is_there = self._registry.has(self._node.folder, self._node.name)
        return None if is_there is False else f"{self._name} is still registered"

    def _hold_restart(self) -> None:
        """Of a node that is removed: the engine alone can make it again."""
        if not self._is_held:
            self._is_held = True
            limit_s = engine(self._member).stop_timeout_s
            self._hold_ready(lambda container: commands.restart(container, limit_s))

    def _hold_ready(self, back: Callable[[str], list[str]]) -> None:
        """Have the host run a command of Docker's, unless the engine is another process by then."""
        part = engine(self._member)
        look = ["docker", "inspect", "--format", RUNS_SINCE, self._instance.name]
        found = channel.run(self._state, self._host, look, timeout_s=DOCKER_S).text
        exchange = Exchange(part.container, part.stop_timeout_s, part.ready_timeout_s)
        step = ["while_it_is", found, *back(found.split()[0])[1:]]
        command, limit_s = exchange.command(step), _drain_s(self._member) + HOLD_S
        self.way_back.enter_context(
            held(self._state, self._host, command, limit_s=limit_s, takes_s=exchange.limit_s)
        )

    def forget_node(self) -> None:
        """Remove the node that a stopped engine has left, whose session outlives it by seconds.

        Not one that its successor has made meanwhile.
        """
        if self._node is None or self._made is None:
            return
        if self._registry.made(self._node.folder, self._node.name) == self._made:
            self._registry.remove(self._node.folder, self._node.name)


def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    """Wait until the engine has registered its host's address, every proxy lists it as up, and
    every proxy's host reaches it."""
    _prove(state, fleet, member, instance, engine(member).ready_timeout_s)


def ready(state: State, fleet: Fleet, member: Member) -> None:
    """See that an engine which stays as it is serves, before another is taken away."""
    found = serving(member.observed, engine(member).container)
    if found:
        _prove(state, fleet, member, found, READY_S)


def _prove(state: State, fleet: Fleet, member: Member, instance: Instance, timeout_s: int) -> None:
    host = state.inventory.get_host(member.name)
    name, pattern = name_of(member, instance), engine(member).registration
    proxies = telling_proxies(fleet)

    def listed() -> str | None:
        return ask_proxies(state, fleet, proxies, judges.lists_up(name))

    if pattern is None:
        host.log(f"whether {name} is registered is not provable: it declares no registration")
        if not proxies:
            prove_steady(state, host, instance.name)
    else:
        with session(host, fleet.registry_connection) as registry:
            _prove_registered(state, fleet, member, registry, node(pattern, name), timeout_s)
    prove_reached(state, fleet, member, name)
    wait_until(host, listed, timeout_s)


def _prove_registered(
    state: State, fleet: Fleet, member: Member, registry: Registry, wanted: Node, timeout_s: int
) -> None:
    host = state.inventory.get_host(member.name)

    def missing() -> str | None:
        names = registry.names(wanted.folder)
        if names is None:
            return "the registry does not answer"
        if wanted.name in names:
            return None
        return f"{wanted.name} is not registered{_instead(names)}"

    def _instead(names: frozenset[str]) -> str:
        known = {_node_name(other) for other in fleet.running(ROLE)}
        strange = ", ".join(sorted(names - known))
        return f" ({wanted.folder} has {strange} of nobody here)" if strange else ""

    wait_until(host, missing, timeout_s)


def _node_name(member: Member) -> str | None:
    name, pattern = running_name(member), engine(member).registration
    return node(pattern, name).name if name and pattern else None


ROLLOUT = Rollout(
    ROLE,
    container,
    prove=prove,
    aside=aside,
    ready=ready,
    successor=successor,
    relieved=relieved,
)
