"""One HTTP exchange with one proxy, under a deadline that holds for the whole of it."""

import http.client
import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass


class NotConnectedError(Exception):
    """No connection could be made, so nothing was sent."""


@dataclass(frozen=True)
class Response:
    """A reply as it came: the body is whole, or the exchange has raised."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, each time with what is left until the deadline (monotonic)."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._connection.settimeout(_left_s(self._deadline))
        return self._connection.recv_into(buffer)


class _ReadableSocket:
    """What `http.client.HTTPResponse` needs of a socket."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._reader = _DeadlineReader(connection, deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


def exchange(
    proxy: str, method: str, target: str, body: bytes, connect_timeout_s: float, deadline: float
) -> Response:
    """Send one request to `proxy` (`ip:port`, `[ip]:port`) and return its reply.

    Raises NotConnectedError while nothing was sent; after that TimeoutError past `deadline`
    (monotonic), and OSError or http.client.HTTPException for a reply that broke off.
    """
    host, _, port = proxy.rpartition(":")
    try:
        connect_timeout_s = min(connect_timeout_s, _left_s(deadline))
        address = (host.removeprefix("[").removesuffix("]"), int(port))
        connection = socket.create_connection(address, connect_timeout_s)
    except (OSError, ValueError) as error:
        raise NotConnectedError(f"{proxy}: {error}") from error
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(_left_s(deadline))
        connection.sendall(_request(proxy, method, target, body))
        reply = http.client.HTTPResponse(
            _ReadableSocket(connection, deadline),  # type: ignore[arg-type]
            method=method,
        )
        reply.begin()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        return Response(reply.status, headers, reply.read())


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no time is left")
    return left_s


def _request(proxy: str, method: str, target: str, body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {proxy}", "Connection: close"]
    if method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
