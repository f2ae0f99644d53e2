"""A port of this machine that leads to one that a host sees, through the host's SSH connection."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
from gevent.server import StreamServer
from paramiko import ChannelException, SSHException
from pyinfra import logger
from pyinfra.api import Host
from pyinfra.connectors.local import LocalConnector

# A refused tunnel is an answer (not up yet), which paramiko would print as an error.
logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)

FORBIDDEN = 1
"""SSH's code for a channel that is administratively prohibited (RFC 4254, 5.1)."""


@contextmanager
def forwarded(host: Host, address: str, port: int) -> Iterator[tuple[str, int]]:
    """Yield an address and a port on this machine that lead to `address:port` as `host` sees it."""
    if isinstance(host.connector, LocalConnector):
        yield address, port
        return
    transport = host.connector.client.get_transport()  # type: ignore[attr-defined]

    def carry(near: socket.socket, peer: tuple[str, int]) -> None:
        try:
            far = transport.open_channel("direct-tcpip", (address, port), peer, timeout=10)
        except ChannelException as refused:
            near.close()
            if refused.code == FORBIDDEN:
                hint = (
                    "its sshd forbids tunnels, by which proof is asked for: AllowTcpForwarding yes"
                )
                host.log(hint, log_func=logger.error)
            return
        except Exception:  # paramiko raises many kinds; a closed socket tells the caller
            near.close()
            return
        halves = [gevent.spawn(_copy, near, far), gevent.spawn(_copy, far, near)]
        try:
            gevent.joinall(halves, count=1)
        finally:
            gevent.killall(halves)
            near.close()
            far.close()

    server = StreamServer(("127.0.0.1", 0), carry)
    server.start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.stop(timeout=1)


def reaches(host: Host, address: str, port: int, timeout_s: float) -> bool | None:
    """Tell whether a connection from `host` to `address:port` comes about; it is closed at once.

    None where `host` itself can't be asked.
    """
    if isinstance(host.connector, LocalConnector):
        with suppress(OSError), socket.create_connection((address, port), timeout_s):
            return True
        return False
    transport = host.connector.client.get_transport()  # type: ignore[attr-defined]
    if transport is None:
        return None
    place, near = (address, port), ("127.0.0.1", 0)
    try:
        transport.open_channel("direct-tcpip", place, near, timeout=timeout_s).close()
    except ChannelException as refused:
        return None if refused.code == FORBIDDEN else False
    except (SSHException, EOFError, OSError):
        return False if transport.is_active() else None
    return True


def _copy(source: Any, target: Any) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
    except OSError:
        return
