"""Bring one part's containers to what is wanted on all its hosts, through the conductor."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import gevent
from pyinfra import logger
from pyinfra.api import FunctionCommand, Host, State
from pyinfra.api.command import PyinfraCommand

from roles.container import commands
from roles.container.plan import ContainerChange, Specify, container_changes
from roles.container.spec import ContainerSpec
from roles.observed import channel
from roles.run.conductor import FAILURES, NotProven, Treatment, conduct
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member

DOCKER_S = 60
"""How long Docker may take for a command that is quick by nature."""
STEADY_S = 3

Step = Callable[[State, Fleet, Member], None]


def _nothing(state: State, fleet: Fleet, member: Member) -> None:
    return


@dataclass(frozen=True)
class Rollout:
    """What distinguishes the parts: what to run, and how it is drained and proven."""

    role: str
    specify: Specify
    prove: Step = _nothing
    drain: Step = _nothing
    undrain: Step = _nothing
    ready: Step = _nothing
    """What must hold on the hosts that stay as they are, before another host is interrupted."""

    def commands(self, state: State) -> Generator[PyinfraCommand, None, None]:
        """What the part's operation yields; to be called with `_run_once`."""
        if container_changes(current_fleet(state), self.role, self.specify):
            yield FunctionCommand(self._conduct, (), {})

    def _conduct(self, state: State, host: Host) -> bool:
        fleet = current_fleet(state)
        changes = container_changes(fleet, self.role, self.specify)
        treatments = [
            self._treatment(state, fleet, member, spec, change) for member, spec, change in changes
        ]
        if any(change.interrupts for _, _, change in changes):
            changed = {member.name for member, _, _ in changes}
            others = [m for m in fleet.running(self.role) if m.name not in changed]
            if not self.are_ready(state, fleet, others):
                return False
        return conduct(state, treatments)

    def are_ready(self, state: State, fleet: Fleet, members: list[Member]) -> bool:
        """A rollout that stopped at a host must not go on past it when it is run again."""
        for member in members:
            try:
                self.ready(state, fleet, member)
            except FAILURES as error:
                text = f"{self.role} is as wanted but not ready, so no other host is interrupted"
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

        def drain() -> None:
            if change.interrupts:
                self.drain(state, fleet, member)

        def undrain() -> None:
            if change.interrupts:
                self.undrain(state, fleet, member)

        def prove() -> None:
            try:
                self.prove(state, fleet, member)
            except Exception:
                show_logs(state, host, spec.name)
                raise

        return Treatment(
            host=host,
            changes=(change,),
            drain=drain,
            apply=lambda: converge(state, host, spec, change),
            prove=prove,
            undrain=undrain,
        )


def converge(state: State, host: Host, spec: ContainerSpec, change: ContainerChange) -> None:
    """Create, start, update or replace the container, as its change says."""
    host.log(change.action)
    if change.verdict == "start":
        channel.run(state, host, commands.start(spec.name), timeout_s=DOCKER_S)
        return
    if change.verdict == "update":
        fields = {difference.field for difference in change.differences}
        update = commands.update(spec, fields)
        channel.run(state, host, update, timeout_s=DOCKER_S, called="docker update")
        return
    if change.verdict == "replace":
        stop = commands.stop(spec.name, spec.stop_timeout_s)
        channel.run(state, host, stop, timeout_s=spec.stop_timeout_s + DOCKER_S)
        channel.run(state, host, commands.remove(spec.name), timeout_s=DOCKER_S)
    run = commands.run(spec)
    channel.run(state, host, run, stdin=commands.environment_file(spec), timeout_s=DOCKER_S)


def show_logs(state: State, host: Host, name: str) -> None:
    """Show the last lines that a container printed, where Docker still answers."""
    try:
        logs = channel.run(state, host, commands.last_logs(name), timeout_s=DOCKER_S, check=False)
    except channel.RemoteError as error:
        host.log(str(error), log_func=logger.error)
        return
    for line in logs.last_lines.splitlines():
        host.log(f"{name}: {line}", log_func=logger.error)


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
