"""Carry out one container's change on one host, and put back what ran before where it fails.

The old container is kept, stopped, until the new one is proven. Each step is one remote command:
the host carries it to its end by itself, and serves after it, wherever the run is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyinfra import logger
from pyinfra.api import Host, State

from roles.container import commands
from roles.container.exchange import DOCKER_S, Exchange, Step
from roles.container.instance import BEFORE, NEXT, Instance
from roles.container.plan import ContainerChange
from roles.container.spec import ContainerSpec
from roles.observed import Container, channel
from roles.run.conductor import NotProven


@dataclass
class Replacement:
    """The change of one container; `old` is what is there now."""

    state: State
    host: Host
    spec: ContainerSpec
    change: ContainerChange
    old: Container | None
    ready_timeout_s: int
    kept: Container | None = None
    """An old one that an earlier run has left, where `old` does not run."""
    has_begun: bool = field(default=False, init=False)
    """Whether the old container was touched, or a new one made: names alone can't tell a leftover
    from what this run has made."""
    is_back: bool = field(default=False, init=False)
    """Whether the old container is as it was before."""

    def stop_first(self) -> None:
        """Create, start, update or replace the container; return when it is healthy."""
        self.host.log(self.change.action)
        if self.change.verdict == "update":
            self.adopt()
            fields = {difference.field for difference in self.change.differences}
            update = commands.update(self.spec, fields)
            channel.run(self.state, self.host, update, timeout_s=DOCKER_S)
            return
        is_new = self.change.verdict != "start"
        words = commands.run(self.spec)[2:] if is_new else []
        self._begin(["exchange", self.change.verdict, *words], self.spec if is_new else None)

    def start_beside(self, spec: ContainerSpec) -> Instance:
        """Start the new container beside the old one; return when it is healthy."""
        self.host.log(self.change.action)
        beside = replace(spec, name=f"{spec.name}{NEXT}")
        self._begin(["beside", *commands.run(beside)[2:]], beside)
        return Instance.of(beside)

    def _begin(self, step: Step, told: ContainerSpec | None) -> None:
        self.has_begun, self.is_back = True, False
        self._tell(*self._seen, *self._adoption, step, told=told)

    def stop(self, name: str) -> None:
        """Stop a container, in the time that it may take."""
        self._tell(["stop", name])

    def stop_old(self) -> None:
        """Stop the container that the one beside it is to take the place of."""
        self.stop(self.spec.name)

    def adopt(self) -> None:
        """Give its name to a container that a run has left under the name of the next one."""
        if self._adoption:
            self._tell(*self._adoption)

    @property
    def _seen(self) -> list[Step]:
        """Have the container be the one that was looked at: a run that was cut off may go on."""
        if self.old is None:
            return [["seen", self.spec.name, ""]]
        container_id = (self.old.inspect or {}).get("Id")
        return [["seen", self.old.name, str(container_id)]] if container_id else []

    @property
    def _adoption(self) -> list[Step]:
        return [["settle"]] if self.old and self.old.name != self.spec.name else []

    def settle(self) -> None:
        """Give the new container its name, and remove what was kept to go back to."""
        self._tell(["settle"])

    def remove_leftovers(self) -> None:
        """Remove a new container that an earlier run has left; nobody calls it any more.

        An old one goes when room is needed for the next that is kept: only where another serves.
        """
        name = self.spec.name
        makes_room = self.old and self.old.running and self.change.verdict == "replace"
        left = (f"{name}{NEXT}", *([f"{name}{BEFORE}"] if makes_room else []))
        old = self.old.name if self.old else name
        self._tell(["stop_and_remove", *(each for each in left if each != old)])

    @property
    def way_back(self) -> Container | None:
        """What ran before, and runs again where the change fails."""
        return self.old if self.old and self.old.running else self.kept

    def take_back(self) -> str | None:
        """Stop the new container, keep it to be looked at, and have the old one as it was."""
        if self.has_begun and not self.is_back:
            self._tell(["take_back"])
        return self._as_before

    def keep_failed(self, name: str) -> None:
        """Stop a new container, and keep it under a name that is in nobody's way."""
        self._tell(["keep_failed", name])

    def old_again(self) -> str | None:
        """Have the old container as it was; say so, or None where there was none that ran."""
        self._tell(["old_again"])
        return self._as_before

    @property
    def _as_before(self) -> str | None:
        return f"{self.spec.name} as it was before runs" if self.is_back else None

    @property
    def _exchange(self) -> Exchange:
        found = self.old and not self.kept
        return Exchange(
            name=self.spec.name,
            stop_timeout_s=self.spec.stop_timeout_s,
            ready_timeout_s=self.ready_timeout_s,
            back="runs" if self.way_back else "stopped" if self.old else "nothing",
            policy=commands.policy_of(self.old) if self.old and found else self.spec.restart,
        )

    def _tell(self, *steps: Step, told: ContainerSpec | None = None) -> None:
        """Have steps carried out; tell what the host says of them.

        Raises:
            NotProven: a new container ended, or was not healthy in time.
            RemoteError: a step failed; the text says why.
        """
        result = channel.run(
            self.state,
            self.host,
            self._exchange.command(*steps),
            stdin=commands.environment_file(told) if told else b"",
            timeout_s=self._exchange.limit_s,
            check=False,
            called=f"the exchange of container {self.spec.name}",
        )
        wrong = [text for line in result.text.splitlines() if (text := self._heard(line))]
        if wrong:
            raise NotProven(wrong[0])
        if result.exit_code != 0:
            raise channel.RemoteError(result.stderr_text or f"exited with {result.exit_code}")

    def _heard(self, line: str) -> str | None:
        """Pass on what a line tells; return what is wrong with the new container."""
        word, _, rest = line.partition(" ")
        if word == "untouched":
            self.has_begun = False
        elif word == "back":
            self.is_back = True
        elif word == "log":
            self.host.log(rest, log_func=logger.error)
        elif word == "kept":
            self.host.log(f"the new container is kept, stopped, as {rest}", logger.warning)
        elif word == "unprovable":
            self.host.log("whether it is healthy is not provable: the image has no health check")
        elif word == "ended":
            return f"container {rest} does not stay up"
        elif word == "unhealthy":
            name, _, said = rest.partition(" ")
            return (
                f"container {name} is not healthy {self.ready_timeout_s} s after it was started; "
                f"its health check says {said.strip() or 'nothing'}"
            )
        return None
