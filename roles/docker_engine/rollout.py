"""Change the engine under running parts: drained and stopped before, started and proven after.

There is no way back from another engine: `rollout.on_failure` changes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from pyinfra import logger
from pyinfra.api import FunctionCommand, Host, State
from pyinfra.api.command import PyinfraCommand

from roles.container.instance import Instance, current, serving
from roles.container.rollout import Rollout
from roles.docker_engine import commands, service
from roles.docker_engine.commands import Cargo, Step
from roles.docker_engine.materials import Materials, materials
from roles.docker_engine.plan import EngineChange, changes
from roles.host_check.finding import printable
from roles.observed import channel, forget, observe
from roles.proxy import rollout as proxy
from roles.registry import rollout as registry
from roles.run.conductor import Away, NotProven, Treatment, conduct
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.soa_engine import rollout as soa_engine

PARTS: tuple[Rollout, ...] = (registry.ROLLOUT, soa_engine.ROLLOUT, proxy.ROLLOUT)
"""The parts whose callers notice a restart, in the order in which they are started and proven."""

SPARE_S = 60

Plan = Callable[[Member], list[EngineChange]]
Compose = Callable[
    [Member, list[EngineChange], Materials, Mapping[str, int]], tuple[list[Step], Cargo]
]


@dataclass(frozen=True)
class EngineRollout:
    """What is to be done to hosts' engines, and how each host is told."""

    plan: Plan
    compose: Compose
    left: Plan
    """What a host still lacks once it was told."""
    bring: Callable[[Member], Materials | Problem] = materials

    def commands(self, state: State) -> Generator[PyinfraCommand, None, None]:
        """What the operation yields; to be called with `_run_once`."""
        if any(self.plan(member) for member in current_fleet(state) if member.in_limit):
            yield FunctionCommand(self._conduct, (), {})

    def _conduct(self, state: State, host: Host) -> bool:
        fleet = current_fleet(state)
        treatments = []
        for member in registry.leader_last(state, fleet, list(fleet)):
            found = self.plan(member) if member.in_limit else []
            brought = self.bring(member) if found else None
            if isinstance(brought, Problem):
                logger.error(str(brought))
                return False
            if brought:
                treatments.append(self._treatment(state, fleet, member, found, brought))
        if not others_are_ready(state, fleet, treatments):
            return False
        pace = fleet.members[0].wanted.rollout.one_by_one
        done = conduct(state, treatments, pace, len(fleet.members))
        for treatment in treatments:
            forget(treatment.host)  # others may have read it meanwhile
        return done

    def _treatment(
        self,
        state: State,
        fleet: Fleet,
        member: Member,
        found: list[EngineChange],
        brought: Materials,
    ) -> Treatment:
        host = state.inventory.get_host(member.name)
        interrupts = any(change.interrupts for change in found)
        affected = running_parts(member) if interrupts else []

        def apply(away: Away) -> None:
            containers = running_containers(member) if interrupts else {}
            steps, cargo = self.compose(member, found, brought, containers)
            for change in found:
                host.log(change.action)
            tell(state, host, member, steps, cargo, containers)

        def prove() -> None:
            after = self._as_wanted(state, host, member)
            if not after.observed.docker_service.active:
                return
            before = [part for part, _ in running_parts(member)]
            for part, instance in running_parts(after):
                if interrupts or part not in before:
                    part.prove(state, fleet, member, instance)

        aside = partial(aside_of, state, fleet, member, affected)
        return Treatment(host, tuple(found), aside, apply, prove)

    def _as_wanted(self, state: State, host: Host, member: Member) -> Member:
        """Read the host again, and return it so: nothing may be left to do.

        Raises:
            NotProven: something is.
        """
        forget(host)
        after = replace(member, observed=observe(state, host))
        left = self.left(after)
        if left:
            raise NotProven(f"still to do afterwards: {'; '.join(map(str, left))}")
        return after


@contextmanager
def aside_of(
    state: State, fleet: Fleet, member: Member, parts: list[tuple[Rollout, Instance]], away: Away
) -> Iterator[None]:
    """Several parts of a host that goes away, or whose engine does, out of service at once."""
    with ExitStack() as stack:
        for part, instance in parts:
            leave = part.departing or part.aside
            stack.enter_context(leave(state, fleet, member, instance, away))
        yield


def others_are_ready(state: State, fleet: Fleet, treatments: list[Treatment]) -> bool:
    """A rollout that stopped at a host must not go on past it when it is run again."""
    interrupting = [fleet[treatment.host.name] for treatment in treatments if treatment.interrupts]
    if not any(running_parts(member) for member in interrupting):
        return True
    treated = {treatment.host.name for treatment in treatments}
    others = [member for member in fleet if member.name not in treated]
    return all(part.are_ready(state, fleet, [m for m in others if _has(m, part)]) for part in PARTS)


def running_parts(member: Member) -> list[tuple[Rollout, Instance]]:
    """The parts that run on a host now, and whose callers would notice."""
    found = [
        (rollout, member.part(rollout.role)) for rollout in PARTS if _is_called(member, rollout)
    ]
    serves = [(r, serving(member.observed, part.container)) for r, part in found if part]
    return [(rollout, instance) for rollout, instance in serves if instance]


def running_containers(member: Member) -> dict[str, int]:
    """Our containers that run on a host now, with the seconds that each may take to stop."""
    serves = [(part, serving(member.observed, part.container)) for part in member.parts.values()]
    return {instance.name: part.stop_timeout_s for part, instance in serves if instance}


def _has(member: Member, rollout: Rollout) -> bool:
    """Whether a host has the part's container, running or not, and is in service."""
    part = member.part(rollout.role)
    has = part is not None and current(member.observed, part.container) is not None
    return has and _is_called(member, rollout)


def _is_called(member: Member, rollout: Rollout) -> bool:
    """Not on a host that somebody has sent away; the registry serves there all the same."""
    return not member.drained or rollout is registry.ROLLOUT


def tell(
    state: State,
    host: Host,
    member: Member,
    steps: list[Step],
    cargo: Cargo,
    containers: Mapping[str, int],
) -> None:
    """Run steps on a host, and show what it says while it is at it.

    Raises:
        RemoteError: a step failed; what was half done has been put back, and the text says why.
    """
    spec = member.wanted.docker_engine
    limit_s = 3 * spec.lock_timeout_s + spec.install_timeout_s + 5 * spec.start_timeout_s + SPARE_S
    heard = bytearray()

    def hear(chunk: bytes) -> None:
        heard.extend(chunk)
        *lines, rest = bytes(heard).split(b"\n")
        heard[:] = rest
        for line in lines:
            host.log(printable(line.decode("utf-8", errors="replace").removeprefix("say: ")))

    result = channel.run(
        state,
        host,
        commands.UNPACK_AND_RUN,
        stdin=commands.archive(member, steps, cargo),
        timeout_s=limit_s + sum(containers.values()),
        on_stdout=hear,
        check=False,
        called="the change of the engine",
    )
    if result.exit_code != 0:
        raise channel.RemoteError(result.stderr_text or f"a step exited with {result.exit_code}")


ROLLOUT = EngineRollout(changes, commands.treatment, left=changes)
SERVICE = EngineRollout(
    service.changes, service.steps, left=service.left, bring=lambda member: Materials()
)
