"""What a part's containers print, on all their hosts: merged by time, or followed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from gevent.event import Event
from gevent.pool import Pool
from pyinfra.api import DeployError, Host, State

from roles.host_check.finding import printable
from roles.maintenance.spec import LogsWish
from roles.observed import channel
from roles.run.connecting import AT_ONCE, unreached
from roles.run.merge import merged_data
from roles.run.reading import connect, explained
from roles.run.reports import told_once
from roles.run.wanted import ROLE_OF_GROUP, validated

READ_S = 60
FOLLOW_S = 86400
"""A terminal that is left open overnight is not followed for ever."""

# Ends with the channel, not with the next line; a container that is replaced is found again.
_FOLLOW = """\
{
    docker logs --timestamps --follow --tail "$2" "$1"
    while sleep 1; do
        docker inspect "$1" >/dev/null 2>&1 || continue
        docker logs --timestamps --follow --since 1s "$1"
    done
} 2>&1 &
cat >/dev/null
kill $! $(ps -o pid= --ppid $!) 2>/dev/null
"""
_READ = 'docker logs --timestamps --tail "$2" "$1" 2>&1'


def tell_logs() -> None:
    """Print what `logs` asks for, each line after its host's name, and end the run.

    Raises:
        DeployError: it asks for no part, or one that no host runs.
        SystemExit: 1 where a host can't be asked; else 0.
    """
    with told_once() as state:
        if state is None:
            return
        hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
        wish = _wish(hosts)
        containers = dict(_containers(hosts, wish.part))
        if not containers:
            raise DeployError(f"no host of these runs the part '{wish.part}'")
        sys.exit(0 if _print(state, containers, wish) else 1)


def _wish(hosts: list[Host]) -> LogsWish:
    """What is asked for; the same for every host, since it comes from the command line.

    Raises:
        DeployError: nothing, or nothing that can be.
    """
    if not any(merged_data(host).get("logs") for host in hosts):
        parts = ", ".join(ROLE_OF_GROUP)
        raise DeployError(f"expected --data logs.part=PART, where PART is one of {parts}")
    problems = [problem for host in hosts for problem in validated(host)[1]]
    found = [wanted.logs for host in hosts if (wanted := validated(host)[0]) and wanted.logs]
    if not found:
        raise DeployError("\n".join(map(str, problems)))
    return found[0]


def _containers(hosts: list[Host], group: str) -> Iterator[tuple[Host, str]]:
    for host in hosts:
        wanted = validated(host)[0]
        part = wanted.part(ROLE_OF_GROUP[group]) if wanted and group in host.groups else None
        if part:
            yield host, part.container


def _print(state: State, containers: dict[Host, str], wish: LogsWish) -> bool:
    """Tells whether every host could be asked."""
    connected, unreachable = connect(state, list(containers))
    width = max(len(host.name) for host in containers)
    for host, why in unreachable.items():
        _say(f"{host.name:<{width}} | {unreached(host.name, why)}", sys.stderr.write)
    read: list[tuple[str, str]] = []

    def ask(host: Host) -> str | None:
        def take(line: str) -> None:
            at, _, text = line.partition(" ")
            told = f"{host.name:<{width}} | {text}"
            if wish.follow:
                _say(told)
            else:
                read.append((at, told))

        lines = _Lines(take)
        try:
            _ask(state, host, containers[host], wish, lines.take)
        except channel.RemoteError as error:
            return f"{host.name:<{width}} | {explained(str(error))}"
        finally:
            lines.end()
        return None

    at_once = None if wish.follow else AT_ONCE  # who is followed does not end
    failures = [failure for failure in Pool(at_once).map(ask, connected) if failure]
    for _, text in sorted(read, key=lambda pair: pair[0]):
        _say(text)
    for failure in failures:
        _say(failure, sys.stderr.write)
    return not (failures or unreachable)


def _ask(
    state: State, host: Host, container: str, wish: LogsWish, sink: Callable[[bytes], None]
) -> None:
    script = _FOLLOW if wish.follow else _READ
    channel.run(
        state,
        host,
        ["sh", "-c", script, "logs", container, str(wish.tail)],
        timeout_s=FOLLOW_S if wish.follow else READ_S,
        stdin=_never_ending() if wish.follow else b"",
        on_stdout=sink,
        called=f"`docker logs {container}`",
    )


def _never_ending() -> Iterator[bytes]:
    Event().wait()
    yield b""


def _say(text: str, write: Callable[[str], object] = sys.stdout.write) -> None:
    write(f"{printable(text)}\n")
    sys.stdout.flush()


class _Lines:
    """Cuts what comes in pieces into lines."""

    def __init__(self, take_line: Callable[[str], None]) -> None:
        self._take_line = take_line
        self._rest = b""

    def take(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take_line(line.decode("utf-8", errors="replace"))

    def end(self) -> None:
        if self._rest:
            self._take_line(self._rest.decode("utf-8", errors="replace"))
