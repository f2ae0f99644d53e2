"""The lease as this run has it: every command that it sends is let through by the host, or not.

What a host refuses once, the run sends no more: to no host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyinfra.api import Host, QuoteString, StringCommand
from pyinfra.api.arguments import pop_global_arguments
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine

SCRIPT = "/var/lib/dockyard/lease/lease.sh"
"""Where run/lease.sh stands on a host that was leased."""
REFUSED = 77
"""What it exits with where the lease is another's, or has run out; it says why on stderr."""
SAID = "lease: "

_HOLDING = "dockyard_lease"
_AS_OTHER = ("_sudo", "_doas", "_dzdo", "_su_user")


@dataclass
class Holding:
    """One run's lease on all its hosts."""

    token: str
    lost: str | None = None
    """Why the run may change nothing more, and which host has said so."""
    is_dropped: bool = False
    """Whether that is so of this one host, and the run goes on without it."""

    @property
    def guard(self) -> list[str]:
        """The words that let a command through."""
        return ["sh", SCRIPT, "do", self.token]

    @property
    def question(self) -> list[str]:
        """The words that exit with 0 while the host still has the lease for this run's."""
        return ["sh", SCRIPT, "holds", self.token]

    def lose(self, host: Host, why: str) -> None:
        """Keep the first reason: what follows comes from that."""
        self.lost = self.lost or f"{host.name}: {why}"


def hold(host: Host, holding: Holding | None) -> None:
    """Guard every further command on a host; None: no more."""
    host.connector_data[_HOLDING] = holding


def holding_of(host: Host) -> Holding | None:
    """The lease that commands on a host are guarded by; None where the run has none there."""
    found: Holding | None = host.connector_data.get(_HOLDING)
    return found


def drop(host: Host, why: str) -> None:
    """Send a host nothing more, and go on without it."""
    hold(host, Holding("", why, is_dropped=True))


def dropped(hosts: Iterable[Host]) -> frozenset[str]:
    """The names of those that the run goes on without."""
    found = ((host.name, holding_of(host)) for host in hosts)
    return frozenset(name for name, holding in found if holding and holding.is_dropped)


def why_lost(host: Host) -> str | None:
    """Why nothing more may be changed; None where something may, or no lease was taken."""
    holding = holding_of(host)
    return holding.lost if holding else None


def refusal(stderr: str) -> str | None:
    """What a host says to a command that it does not let through; None where it says no such."""
    return next((line for line in stderr.splitlines() if line.startswith(SAID)), None)


def _is_as_other(arguments: Mapping[str, Any]) -> bool:
    """Whether a command runs as another account than the one that logs in."""
    return any(arguments.get(name) for name in _AS_OTHER)


def _usual(host: Host) -> Mapping[str, Any]:
    """How commands run on a host where nothing else is said."""
    arguments, _ = pop_global_arguments(host.state, host, {})
    return arguments


def guard_operations(host: Host) -> None:
    """Have pyinfra's own operations let through, too; for a host once.

    To be called after whatever else wraps `run_shell_command`: the guard stands closest to what
    the operation runs.
    """
    run: Callable[..., tuple[bool, CommandOutput]] = host.connector.run_shell_command
    put: Callable[..., bool] = host.connector.put_file

    def run_shell_command(
        line: StringCommand, *printing: bool, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        holding = holding_of(host)
        if holding is None:
            return run(line, *printing, **arguments)
        if holding.lost:
            return False, CommandOutput([OutputLine("stderr", holding.lost)])
        if _is_as_other(_usual(host)) and not _is_as_other(arguments):
            # The login account's own temporary file: it may read no lease, and change little else.
            return run(line, *printing, **arguments)
        shell = arguments.get("_shell_executable") or "sh"
        guarded = StringCommand(*holding.guard, shell, "-c", QuoteString(line))
        succeeded, output = run(guarded, *printing, **arguments)
        said = refusal(output.stderr)
        if not succeeded and said:
            holding.lose(host, said)
        return succeeded, output

    def put_file(
        source: Any,
        target: str,
        remote_temp_filename: str | None = None,
        *printing: bool,
        **arguments: Any,
    ) -> bool:
        """SFTP asks no shell: upload beside the target's place, and let through what moves it."""
        is_direct = isinstance(host.connector, SSHConnector) and not _is_as_other(arguments)
        if holding_of(host) is None or not is_direct:
            return put(source, target, remote_temp_filename, *printing, **arguments)
        beside = remote_temp_filename or host.get_temp_filename(target)
        if not put(source, beside, None, *printing, **arguments):
            return False
        names = (QuoteString(beside), QuoteString(target))
        move = StringCommand("cp", *names, "&&", "rm", "-f", QuoteString(beside))
        succeeded, output = host.connector.run_shell_command(move, *printing, **arguments)
        if not succeeded:
            host.log(output.stderr)
        return succeeded

    host.connector.run_shell_command = run_shell_command  # type: ignore[assignment, method-assign]
    host.connector.put_file = put_file  # type: ignore[assignment, method-assign]
