"""Carry out one container's change on one host, and put back what ran before where it fails.

The old container is kept, stopped, until the new one is proven. Whatever ends a run in between, the
names on the host tell where it stood.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace

from pyinfra import logger
from pyinfra.api import Host, State

from roles.container import commands
from roles.container.instance import BEFORE, FAILED, NEXT, Instance
from roles.container.plan import ContainerChange
from roles.container.spec import ContainerSpec
from roles.observed import Container, channel
from roles.run.conductor import NotProven

DOCKER_S = 60
"""How long Docker may take for a command that is quick by nature."""

Command = list[str]

_AWAIT = """\
end=$(($(date +%s) + $1)); name=$2; shift 2
while :; do
    state=$(docker inspect --format '{{.State.Running}} {{.RestartCount}}' "$name") || exit 1
    case $state in "true "[012]) ;; *) echo ended; exit ;; esac
    said=$(timeout 10 docker exec "$name" "$@" 2>&1) && { echo healthy; exit; }
    [ "$(date +%s)" -lt "$end" ] || { printf 'unhealthy %s\\n' "$said" | head -c 400; exit; }
    sleep 0.1
done
"""


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

    def stop_first(self) -> None:
        """Create, start, update or replace the container; return when it is healthy."""
        self.host.log(self.change.action)
        self.adopt()
        name = self.spec.name
        if self.change.verdict == "update":
            fields = {difference.field for difference in self.change.differences}
            self._ask(commands.update(self.spec, fields))
            return
        self.has_begun = True
        if self.change.verdict == "start":
            self._docker(commands.start(name))
        else:
            self._make_room()
            self._run(self.spec)
        self.await_health(Instance.of(self.spec))

    def _make_room(self) -> None:
        """Stop what is to be replaced, and keep it to go back to; of two the one that served."""
        name, keeps = self.spec.name, f"{self.spec.name}{BEFORE}"
        if self.change.verdict == "replace":
            self.stop(name)
            if self.kept:
                self._docker(commands.remove(name))
            else:
                self._docker(commands.rename(name, keeps), commands.never_restart(keeps))

    def start_beside(self, spec: ContainerSpec) -> Instance:
        """Start the new container beside the old one; return when it is healthy."""
        self.host.log(self.change.action)
        self.adopt()
        beside = replace(spec, name=f"{spec.name}{NEXT}")
        self.has_begun = True
        self._run(beside)
        self.await_health(Instance.of(beside))
        return Instance.of(beside)

    def stop_old(self) -> None:
        """Stop the container that the one beside it is to take the place of."""
        self.stop(self.spec.name)

    def adopt(self) -> None:
        """Give its name to a container that a run has left under the name of the next one."""
        if self.old and self.old.name != self.spec.name:
            self.settle()

    def settle(self) -> None:
        """Give the new container its name, and remove what was kept to go back to."""
        name, there = self.spec.name, self._there()
        kept, following, failed = f"{name}{BEFORE}", f"{name}{NEXT}", f"{name}{FAILED}"
        words = [commands.remove(kept)] if kept in there else []
        if following in there:
            if name in there:
                words += [commands.rename(name, kept), commands.rename(following, name)]
                words += [commands.remove(kept)]
            else:
                words += [commands.rename(following, name)]
        words += [commands.remove(failed)] if failed in there else []
        self._docker(*words)

    def remove_leftovers(self) -> None:
        """Remove a new container that an earlier run has left; nobody calls it any more.

        An old one goes when room is needed for the next that is kept: only where another serves.
        """
        name, there = self.spec.name, self._there()
        serves = self.old and self.old.running
        old = self.old.name if self.old else name
        makes_room = serves and self.change.verdict == "replace"
        for left in (f"{name}{NEXT}", *([f"{name}{BEFORE}"] if makes_room else [])):
            if left in there and left != old:
                self.stop(left)
                self._docker(commands.remove(left))

    @property
    def way_back(self) -> Container | None:
        """What ran before, and runs again where the change fails."""
        return self.old if self.old and self.old.running else self.kept

    def take_back(self) -> str | None:
        """Stop the new container, keep it to be looked at, and have the old one as it was."""
        if not self.has_begun:
            return None
        if self.old is None or f"{self.spec.name}{BEFORE}" in self._there():
            self.keep_failed(self.spec.name)
        return self.old_again()

    def keep_failed(self, name: str) -> None:
        """Stop a new container, and keep it under a name that is in nobody's way."""
        failed, there = f"{self.spec.name}{FAILED}", self._there()
        if name not in there:
            return
        self.show_logs(name)
        clear = [commands.remove(failed)] if failed in there else []
        self._docker(commands.never_restart(name), *clear)
        self.stop(name)
        self._docker(commands.rename(name, failed))
        self.host.log(f"the new container is kept, stopped, as {failed}", logger.warning)

    def old_again(self) -> str | None:
        """Have the old container as it was; say so, or None where there was none that ran."""
        name, there = self.spec.name, self._there()
        if f"{name}{BEFORE}" in there and name not in there:
            self._docker(commands.rename(f"{name}{BEFORE}", name))
            again = commands.restart_as(name, self.old) if self.old and not self.kept else None
            self._docker(again or commands.restart_by(name, self.spec.restart))
        if self.way_back is None:
            return None
        self._docker(commands.start(name))
        return f"{name} as it was before runs"

    def await_health(self, instance: Instance) -> None:
        """Have the container's own health check pass, asked now instead of at its interval.

        Raises:
            NotProven: the container ended, or was not healthy in time.
        """
        look = ["docker", "inspect", "--format", "{{json .Config.Healthcheck}}", instance.name]
        found = json.loads(self._ask(look)) or {}
        kind, *test = found.get("Test") or ["NONE"]
        if kind == "NONE":
            self.host.log("whether it is healthy is not provable: the image has no health check")
            return
        if kind == "CMD-SHELL":
            test = ["sh", "-c", *test]
        limit_s = str(self.ready_timeout_s)
        command = ["sh", "-c", _AWAIT, "sh", limit_s, instance.name, *test]
        answer = self._ask(command, self.ready_timeout_s + DOCKER_S)
        if answer == "ended":
            raise NotProven(f"container {instance.name} does not stay up")
        if answer != "healthy":
            said = answer.removeprefix("unhealthy").strip() or "nothing"
            raise NotProven(
                f"container {instance.name} is not healthy {limit_s} s after it was started; "
                f"its health check says {said}"
            )

    def show_logs(self, name: str) -> None:
        """Show the last lines that a container printed, where Docker still answers."""
        command = commands.last_logs(name)
        try:
            logs = channel.run(self.state, self.host, command, timeout_s=DOCKER_S, check=False)
        except channel.RemoteError as error:
            self.host.log(str(error), log_func=logger.error)
            return
        for line in logs.last_lines.splitlines():
            self.host.log(f"{name}: {line}", log_func=logger.error)

    def _there(self) -> frozenset[str]:
        listed = ["docker", "ps", "--all", "--format", "{{.Names}}"]
        return frozenset(self._ask(listed).split())

    def stop(self, name: str) -> None:
        """Stop a container, in the time that it may take."""
        limit_s = self.spec.stop_timeout_s
        stop = commands.stop(name, limit_s)
        channel.run(self.state, self.host, stop, timeout_s=limit_s + DOCKER_S)

    def _run(self, spec: ContainerSpec) -> None:
        variables = commands.environment_file(spec)
        run = commands.run(spec)
        channel.run(self.state, self.host, run, stdin=variables, timeout_s=DOCKER_S)

    def _docker(self, *words: Command) -> None:
        """Run commands in a row, in one exec; the first that fails is the last."""
        if words:
            line = " && ".join(f"{shlex.join(command)} >/dev/null" for command in words)
            channel.run(self.state, self.host, line, timeout_s=DOCKER_S * len(words))

    def _ask(self, command: Command, limit_s: float = DOCKER_S) -> str:
        return channel.run(self.state, self.host, command, timeout_s=limit_s).text
