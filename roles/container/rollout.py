"""Bring one part's containers to what is wanted on all its hosts, through the conductor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace

import gevent
from pyinfra import logger
from pyinfra.api import FunctionCommand, Host, State
from pyinfra.api.command import PyinfraCommand

from roles.container.exchange import DOCKER_S
from roles.container.instance import BEFORE, NEXT, Instance, current, kept, leftovers, serving
from roles.container.plan import ContainerChange, Specify, container_changes
from roles.container.replacement import Replacement
from roles.container.spec import ContainerSpec
from roles.observed import channel
from roles.run.conductor import FAILURES, Away, NotProven, Treatment, conduct, nobody_is_aside
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member

STEADY_S = 3

Prove = Callable[[State, Fleet, Member, Instance], None]
Aside = Callable[[State, Fleet, Member, Instance, Away], AbstractContextManager[None]]
Ready = Callable[[State, Fleet, Member], None]
Successor = Callable[[Fleet, Member], ContainerSpec | None]
Treats = Callable[[Fleet, Member], bool]
Order = Callable[[State, Fleet, list[Member]], list[Member]]


def _proves_nothing(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
    return


@contextmanager
def at_once(
    state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
) -> Iterator[None]:
    yield


def _is_ready(state: State, fleet: Fleet, member: Member) -> None:
    return


def _none(fleet: Fleet, member: Member) -> ContainerSpec | None:
    return None


def _everyone(fleet: Fleet, member: Member) -> bool:
    return True


def _as_listed(state: State, fleet: Fleet, members: list[Member]) -> list[Member]:
    return members


@dataclass(frozen=True)
class Rollout:
    """What distinguishes the parts: what to run, and how it is drained and proven."""

    role: str
    specify: Specify
    prove: Prove = _proves_nothing
    aside: Aside = at_once
    """A container out of service: entered when nobody calls it any more, left when it is stopped,
    or is to be called again."""
    ready: Ready = _is_ready
    """What must hold on the hosts that stay as they are, before another host is interrupted."""
    successor: Successor = _none
    """The container that may start beside the one that runs; None: that one is stopped first."""
    departing: Aside | None = None
    """The same as `aside` for a container whose host goes away; None: no other."""
    relieved: Aside | None = None
    """The same as `aside` for a container whose successor serves beside it; None: no other."""
    order: Order = _as_listed
    one_at_a_time: Callable[[list[Member]], bool] = lambda members: False
    """Whether these hosts go so, whatever batch is wanted."""
    treats: Treats = _everyone
    """Which hosts it is for, of those that run the part; others have a rollout of their own."""

    def commands(self, state: State) -> Generator[PyinfraCommand, None, None]:
        """What the part's operation yields; to be called with `_run_once`."""
        if self._changes(current_fleet(state)):
            yield FunctionCommand(self._conduct, (), {})

    def _conduct(self, state: State, host: Host) -> bool:
        fleet = current_fleet(state)
        found = self._changes(fleet)
        changes = {member.name: (spec, change) for member, spec, change in found}
        try:
            members = self.order(state, fleet, [m for m in fleet if m.name in changes])
        except FAILURES as error:
            logger.error(f"{self.role}: {error}")
            return False
        treatments = [self._treatment(state, fleet, m, *changes[m.name]) for m in members]
        running = fleet.running(self.role)
        if any(change.interrupts for _, change in changes.values()):
            others = [m for m in fleet.in_service(self.role) if m.name not in changes]
            if not self.are_ready(state, fleet, others):
                return False
        pace = members[0].wanted.rollout
        if self.one_at_a_time(members):
            pace = pace.one_by_one
        return conduct(state, treatments, pace, len(running))

    def _changes(self, fleet: Fleet) -> list[tuple[Member, ContainerSpec, ContainerChange]]:
        found = container_changes(fleet, self.role, self.specify)
        return [each for each in found if self.treats(fleet, each[0])]

    def are_ready(self, state: State, fleet: Fleet, members: list[Member]) -> bool:
        """A rollout that stopped at a host must not go on past it when it is run again."""
        for member in members:
            try:
                self.ready(state, fleet, member)
            except FAILURES as error:
                text = f"{self.role} is not ready, so no other host is interrupted"
                logger.error(f"{member.name}: {text}: {error}")
                return False
        return True

    def _treatment(
        self,
        state: State,
        fleet: Fleet,
        member: Member,
        spec: ContainerSpec,
        change: ContainerChange,
    ) -> Treatment:
        host = state.inventory.get_host(member.name)
        part = member.part(self.role)
        assert part is not None, f"{member.name} runs no {self.role}"
        old = current(member.observed, spec.name)
        back = kept(member.observed, spec.name)
        doing = Replacement(state, host, spec, change, old, part.ready_timeout_s, back)
        exchange = _Exchange(self, fleet, member, doing)
        beside = self.successor(fleet, member) if change.verdict == "replace" else None
        if change.verdict == "tidy":
            return exchange.tidying()
        if beside and old and old.running:
            return exchange.starting_first(replace(beside, image_id=spec.image_id))
        return exchange.stopping_first()


@dataclass(frozen=True)
class _Exchange:
    """One host's change of a container, as the conductor has it done."""

    rollout: Rollout
    fleet: Fleet
    member: Member
    doing: Replacement

    def tidying(self) -> Treatment:
        """What is old goes last, when what serves is proven."""

        def apply(away: Away) -> None:
            self.doing.host.log(self.doing.change.action)
            self._remove_leftovers(away)
            self.doing.adopt()

        return Treatment(
            host=self.doing.host,
            changes=(self.doing.change,),
            aside=nobody_is_aside,
            apply=apply,
            prove=self._prove_old,
            settle=self.doing.settle,
        )

    def stopping_first(self) -> Treatment:
        @contextmanager
        def aside(away: Away) -> Iterator[None]:
            serves = serving(self.member.observed, self.doing.spec.name)
            if self.doing.has_begun:
                serves = Instance.of(self.doing.spec)
            with ExitStack() as stack:
                if not self.doing.has_begun:
                    self._remove_leftovers(away)
                if serves and self.doing.change.interrupts:
                    stack.enter_context(self._aside(serves, away))
                yield

        def prove() -> None:
            self._prove(Instance.of(self.doing.spec))

        return Treatment(
            host=self.doing.host,
            changes=(self.doing.change,),
            aside=aside,
            apply=lambda away: self.doing.stop_first(),
            prove=prove,
            settle=self.doing.settle,
            take_back=lambda away: self.doing.take_back(),
            prove_back=self._prove_old,
        )

    def starting_first(self, beside: ContainerSpec) -> Treatment:
        following = Instance(f"{self.doing.spec.name}{NEXT}", beside.environment)

        def apply(away: Away) -> None:
            self._remove_leftovers(away)
            self._prove(self.doing.start_beside(beside))
            assert self.doing.old is not None, "nothing can start beside nothing"
            before = Instance(self.doing.spec.name, self.doing.old.environment)
            with self._relieved(before, away):
                self.doing.stop_old()

        def take_back(away: Away) -> str | None:
            """The old one first: the new one may be the only one that serves."""
            if not self.doing.has_begun or self.doing.is_back:
                return self.doing.take_back()
            back = self.doing.old_again()
            self._prove_old()
            try:
                with self._relieved(following, away):
                    self.doing.keep_failed(following.name)
            except FAILURES as error:
                told = f"is stopped though callers may notice: {error}"
                self.doing.host.log(told, logger.warning)
                self.doing.keep_failed(following.name)
            return back

        return Treatment(
            host=self.doing.host,
            changes=(self.doing.change,),
            aside=nobody_is_aside,
            apply=apply,
            prove=lambda: self._prove(following),
            settle=self.doing.settle,
            take_back=take_back,
            prove_back=self._prove_old,
        )

    def _remove_leftovers(self, away: Away) -> None:
        """Remove what an earlier run has left; what runs of it is out of service before."""
        left = leftovers(self.member.observed, self.doing.spec.name)
        with ExitStack() as stack:
            for container in left:
                if container.running:
                    stack.enter_context(self._aside(Instance.of(container), away))
                    if container.name.endswith(BEFORE):  # removed only when another is proven
                        self.doing.stop(container.name)
            self.doing.remove_leftovers()

    def _aside(self, instance: Instance, away: Away) -> AbstractContextManager[None]:
        return self.rollout.aside(self.doing.state, self.fleet, self.member, instance, away)

    def _relieved(self, instance: Instance, away: Away) -> AbstractContextManager[None]:
        leaves = self.rollout.relieved or self.rollout.aside
        return leaves(self.doing.state, self.fleet, self.member, instance, away)

    def _prove(self, instance: Instance) -> None:
        self.rollout.prove(self.doing.state, self.fleet, self.member, instance)

    def _prove_old(self) -> None:
        found = self.doing.way_back
        if found:
            self._prove(Instance(self.doing.spec.name, found.environment))


def prove_steady(state: State, host: Host, name: str) -> None:
    """See that a container stays up, where nothing finer can be proven of it.

    Raises:
        NotProven: it ended, or was started again, within 3 s.
    """
    look = ["docker", "inspect", "--format", "{{.State.Running}} {{.State.StartedAt}}", name]
    before = channel.run(state, host, look, timeout_s=DOCKER_S).text
    gevent.sleep(STEADY_S)
    after = channel.run(state, host, look, timeout_s=DOCKER_S).text
    if before != after or not after.startswith("true"):
        raise NotProven(f"container {name} does not stay up")
