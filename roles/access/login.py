"""The ordinary login of a host: as its inventory says, and by nothing else."""

from __future__ import annotations

from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh import SSHConnector


def prove(state: State, host: Host) -> str | None:
    """Log in once more, in a connection of its own, and run `true` there; say why that fails.

    None where it works, and where the host is reached by another way than SSH.
    """
    if not isinstance(host.connector, SSHConnector):
        return None
    second = SSHConnector(state, host)
    try:
        second.connect()
        is_root, output = second.run_shell_command("true", _sudo=bool(host.data.get("_sudo")))  # type: ignore[arg-type]
        return None if is_root else output.stderr or "`true` failed"
    except PyinfraError as error:
        return str(error)
    finally:
        second.disconnect()
