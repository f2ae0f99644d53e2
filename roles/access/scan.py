"""Ask a server of SSH for its keys, without logging in to it. Trusts nothing and writes nothing."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paramiko import ProxyCommand, SSHException, Transport
from paramiko.ssh_exception import AuthenticationException, BadHostKeyException, IncompatiblePeer
from pyinfra.connectors.sshuserclient.client import SSHClient

from roles.access.bastions import Hop
from roles.access.gate import gate
from roles.access.known_hosts import HostKey
from roles.access.place import STRICT, Place

LIMIT_S = 10.0
TYPES: tuple[tuple[str, ...], ...] = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
"""A server shows one key for each connection: one of these kinds that it has."""

_SILENT = logging.getLogger("dockyard.scan")
"""What paramiko says of a server that has no key of the type that is asked for."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class NotScanned(Exception):
    """A server could not be asked; the text says why."""


def scan(place: Place, limit_s: float = LIMIT_S) -> tuple[HostKey, ...]:
    """Return the keys that a server shows now, one for each of TYPES that it has.

    The bastions on the way must show keys that are pinned, and let this account in.

    Raises:
        NotScanned: it can't be reached, it is no server of SSH, or took longer than `limit_s` for
            one step.
    """
    try:
        with gate(place.via), _way(place, limit_s) as bastion:
            shown = [_shown(place, bastion, types, limit_s) for types in TYPES]
    except (OSError, EOFError, SSHException) as error:
        raise NotScanned(f"{place}: {_why(error)}") from error
    found = tuple(key for key in shown if key)
    if not found:
        raise NotScanned(f"{place}: shows a key of no kind that is known here")
    return found


def _shown(
    place: Place, bastion: SSHClient | None, types: tuple[str, ...], limit_s: float
) -> HostKey | None:
    """The server's key of these types; None where it has none."""
    transport = Transport(_connected(place, bastion, limit_s))
    try:
        transport.set_log_channel(_SILENT.name)
        transport.banner_timeout = limit_s
        transport.get_security_options().key_types = types
        transport.start_client(timeout=limit_s)
        key = transport.get_remote_server_key()
        return HostKey(key.get_name(), key.asbytes())
    except IncompatiblePeer:
        return None
    finally:
        transport.close()


def _connected(place: Place, bastion: SSHClient | None, limit_s: float) -> Any:
    if bastion:
        return _through(bastion, place.address, place.port, limit_s)
    if place.command:
        return ProxyCommand(place.command)
    connection = socket.create_connection((place.address, place.port), limit_s)
    connection.settimeout(limit_s)
    return connection


@contextmanager
def _way(place: Place, limit_s: float) -> Iterator[SSHClient | None]:
    """Log in to the bastions on the way, one through the other; yield the last one."""
    clients: list[SSHClient] = []
    try:
        for hop in place.via:
            before = clients[-1] if clients else None
            clients.append(_logged_in(place, hop, before, limit_s))
        yield clients[-1] if clients else None
    finally:
        for client in reversed(clients):
            client.close()


def _logged_in(place: Place, hop: Hop, before: SSHClient | None, limit_s: float) -> SSHClient:
    """Log in to a bastion as pyinfra will, but for the key: it must be pinned in any case."""
    client = SSHClient()
    try:
        sock = _through(before, hop.address, hop.port, limit_s) if before else None
        client.connect(
            hop.address,
            _pyinfra_ssh_config_file=place.config,
            _pyinfra_ssh_known_hosts_file=place.hop_known_hosts,
            **{f"_pyinfra_{STRICT}": "yes"},
            sock=sock,
            port=hop.port,
            timeout=limit_s,
            **({"username": hop.user} if hop.user else {}),
        )
    except BadHostKeyException as error:
        raise NotScanned(f"bastion {hop}: its host key is not the one that is pinned") from error
    except AuthenticationException as error:
        raise NotScanned(f"bastion {hop}: does not let this account in: {error}") from error
    except (OSError, EOFError, SSHException) as error:
        raise NotScanned(f"bastion {hop}: {_why(error)}") from error
    return client


def _through(bastion: SSHClient, address: str, port: int, limit_s: float) -> Any:
    return bastion.gateway("127.0.0.1", 0, address, port, timeout=limit_s)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, EOFError):
        return "it ended the connection"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
