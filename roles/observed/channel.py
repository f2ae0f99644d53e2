"""Our own channel to a host: bytes in, bytes out, under one time limit.

pyinfra's `run_shell_command` cuts the output at a byte that is not UTF-8, leaves the remote
process running after a time-out and buffers what it sends; neither the probe nor the conductor can
live with that.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import gevent
from gevent.queue import Queue
from paramiko import SSHException
from pyinfra.api import Host, QuoteString, State, StringCommand
from pyinfra.api.arguments import auth_argument_meta, pop_global_arguments
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.util import make_unix_command_for_host

from roles.observed import holding, sudo
from roles.observed.noise import MARK, SAY_MARK
from roles.observed.transport import (
    CHUNK_BYTES,
    Collected,
    Execute,
    Sink,
    on_this_machine,
    over_ssh,
)
from roles.observed.transport import RemoteError as RemoteError

ENDED_BY_TIMEOUT = (124, 137)
"""What coreutils' `timeout` exits with when it had to end, or to kill, its command."""
NO_EXIT_STATUS = -1
"""What paramiko tells of a command whose channel was closed before it ended."""
GRACE_S = 5
"""What a remote command that ignores SIGTERM is given, before `timeout` kills it."""

ASK_S = 20

_ONLY_READ, _TAKEN = "dockyard_only_read", "dockyard_sudo_password_taken"


class OnlyRead(RemoteError):
    """The host is only to be read: the command was not run."""


class LeaseLost(RemoteError):
    """The hosts are another run's now, or nobody's: the command was not run."""


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", errors="replace").strip()

    @property
    def stderr_text(self) -> str:
        """What went to stderr, without signs that steer a terminal."""
        text = self.stderr.decode("utf-8", errors="replace").strip()
        return "".join(c for c in text if c.isprintable() or c == "\n")

    @property
    def last_lines(self) -> str:
        """The last 15 lines of both outputs, for an error."""
        lines = (self.stdout + b"\n" + self.stderr).decode("utf-8", errors="replace").splitlines()
        return "\n".join([line for line in lines if line.strip()][-15:])


def run(
    state: State,
    host: Host,
    command: list[str] | str,
    *,
    timeout_s: float,
    stdin: bytes | Iterable[bytes] = b"",
    on_stdout: Sink | None = None,
    check: bool = True,
    called: str | None = None,
    guarded: bool = True,
    reads: bool = False,
) -> Result:
    """Run a command on a host, with the host's own sudo settings.

    A host that is to be `only_read` runs nothing but what `reads`.

    Where this run has the lease, the host runs it only while that holds, unless not `guarded`.

    A list is quoted word by word; a string is given to `sh` as it is. `stdin` may be an iterator of
    chunks; with `on_stdout` the output goes there, chunk by chunk, and is not kept. The time limit
    (seconds) ends the remote process too. Errors show the command, or what it is `called`.

    Raises:
        OnlyRead: the host is only to be read.
        LeaseLost: the lease is another's, or has run out.
        RemoteError: the command exited with another status than 0 (unless `check` is False), took
            longer than `timeout_s`, or printed more than 64 MiB that nobody takes.
    """
    if host.connector_data.get(_ONLY_READ) and not reads:
        raise OnlyRead(f"{host.name} is only to be read; this was not run: {command!r:.80}")
    held = holding.holding_of(host) if guarded else None
    if held:
        raise_if_lost(host)
    words = ["sh", "-c", command] if isinstance(command, str) else command
    bounded = ["timeout", "-k", str(GRACE_S), f"{timeout_s:g}", *words]
    sent = shlex.join([*(held.guard if held else ()), *bounded])
    login = _login(state, host)
    password = sudo.password_of(host, login)
    line = f"{SAY_MARK}exec {sent}"
    chunks = [stdin] if isinstance(stdin, bytes) else stdin
    if password:
        line = sudo.command(login, StringCommand("sh", "-c", QuoteString(line))).get_raw_value()
        preface = "".join(f"{given}\n" for given in sudo.preface(password))
        chunks = chain([preface.encode()], chunks)
    else:
        line = make_unix_command_for_host(state, host, StringCommand(line), **login).get_raw_value()
    stdout, stderr = Collected(on_stdout, after=f"{MARK}\n".encode()), Collected()
    shown = command if isinstance(command, str) else shlex.join(command)
    shown = called or (f"`{shown}`" if len(shown) < 120 else f"`{shown[:117]}...`")
    execute = on_this_machine if isinstance(host.connector, LocalConnector) else over_ssh
    try:
        with gevent.Timeout(timeout_s + 2 * GRACE_S):
            if password:
                _try_once(host, login, password, execute)
            exit_code = execute(host, line, chunks, stdout, stderr)
    except gevent.Timeout:
        raise RemoteError(f"{shown} did not end within {timeout_s:g} s") from None
    except (OSError, EOFError, SSHException) as error:
        raise RemoteError(f"the connection broke during {shown}: {error}") from error
    result = Result(exit_code, stdout.kept, stderr.kept)
    if held and exit_code == holding.REFUSED and (said := holding.refusal(result.stderr_text)):
        held.lose(host, said)
        raise_if_lost(host)
    if exit_code == NO_EXIT_STATUS:
        raise RemoteError(f"the connection broke during {shown}; it may have gone on there")
    if exit_code in ENDED_BY_TIMEOUT:
        raise RemoteError(f"{shown} did not end within {timeout_s:g} s\n{result.last_lines}")
    if check and exit_code != 0:
        raise RemoteError(f"{shown} exited with {exit_code}\n{result.last_lines}".rstrip())
    return result


def only_read(host: Host) -> None:
    """Have a host refuse all but the probe, whoever asks: pyinfra's operations and facts, too."""
    host.connector_data[_ONLY_READ] = True

    def refuse(*arguments: Any, **more: Any) -> Any:
        raise OnlyRead(f"{host.name} is only to be read; nothing was run or written there")

    for way in ("run_shell_command", "put_file", "get_file", "rsync"):
        setattr(host.connector, way, refuse)


def raise_if_lost(host: Host) -> None:
    """Raise LeaseLost where this run had the lease, and has it no more."""
    why = holding.why_lost(host)
    if why:
        raise LeaseLost(why)


def ask_lease(state: State, host: Host) -> None:
    """Have a host say that the lease holds, before what no command of the host's does.

    Raises:
        RemoteError: it does not, or can't be asked. Not where this run has taken none.
    """
    if holding.holding_of(host):
        run(state, host, ["true"], timeout_s=ASK_S)


def stream(
    state: State,
    source: Host,
    produce: list[str],
    targets: dict[Host, list[str]],
    *,
    timeout_s: float,
) -> None:
    """Pipe a command's output on one host into a command on each of several others.

    Nothing is kept on the way but a few chunks per target; the slowest target sets the pace.

    Raises:
        RemoteError: the source's, or the first target's, failure.
    """
    queues: dict[Host, Queue[bytes | None]] = {host: Queue(maxsize=8) for host in targets}

    def consume(host: Host, command: list[str]) -> RemoteError | None:
        try:
            run(state, host, command, timeout_s=timeout_s, stdin=iter(queues[host].get, None))
        except RemoteError as error:
            return RemoteError(f"{host.name}: {error}")
        return None

    consumers = {host: gevent.spawn(consume, host, command) for host, command in targets.items()}

    def fan_out(chunk: bytes | None) -> None:
        for host, queue in queues.items():
            while not consumers[host].ready():
                try:
                    queue.put(chunk, timeout=1)
                    break
                except gevent.queue.Full:
                    continue

    try:
        run(state, source, produce, timeout_s=timeout_s, on_stdout=fan_out)
        fan_out(None)
        gevent.joinall(list(consumers.values()))
    except RemoteError as error:
        raise RemoteError(f"{source.name}: {error}") from error
    finally:
        gevent.killall(list(consumers.values()))
    for consumer in consumers.values():
        if consumer.value is not None:
            raise consumer.value


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file of this machine's, to be given as `stdin`."""
    with path.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            yield chunk


def _login(state: State, host: Host) -> dict[str, Any]:
    """The host's sudo, su or doas, as pyinfra's global arguments."""
    arguments, _ = pop_global_arguments(state, host, {})
    return {key: arguments[key] for key in auth_argument_meta}  # type: ignore[literal-required]


def _try_once(host: Host, login: Mapping[str, Any], password: str, execute: Execute) -> None:
    """See that sudo takes a password, where that is not known: with nothing else on stdin.

    It would take the next lines for further tries, and whoever counts them may lock the account.
    """
    if host.connector_data.get(_TAKEN) == password:
        return
    line = sudo.command(login, StringCommand("true")).get_raw_value()
    stdout, stderr = Collected(), Collected()
    exit_code = execute(host, line, [f"{password}\n".encode()], stdout, stderr)
    if exit_code != 0:
        said = Result(exit_code, stdout.kept, stderr.kept).last_lines
        raise RemoteError(f"sudo, which was tried alone, exited with {exit_code}\n{said}".rstrip())
    host.connector_data[_TAKEN] = password
