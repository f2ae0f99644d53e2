"""An engine that does with each request what a test wants."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import unquote

from osp_common.settings import Endpoint

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
MISDIRECTED = b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n"


class FakeEngine:
    """Counts the service's requests and treats each as `behave` does.

    Checks succeed if they ask for `identity`, which is the address at first.
    """

    def __init__(self, behave: Callable[[socket.socket], None], ip: str = "127.0.0.1") -> None:
        self.requests: list[str] = []
        self._behave = behave
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self._listener = socket.create_server((ip, 0), family=family)
        self.address = str(Endpoint(ip, self._listener.getsockname()[1]))
        self.identity = self.address
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = connection.recv(65536).decode()
            if "/healthz" in head:
                asked_for = unquote(head.split()[1]).partition("?engine=")[2]
                connection.sendall(ANSWER if asked_for == self.identity else MISDIRECTED)
            elif head:
                self.requests.append(head.split()[0])
                self._behave(connection)


def answer(connection: socket.socket) -> None:
    connection.sendall(ANSWER)


def answer_late(connection: socket.socket) -> None:
    time.sleep(1.0)
    connection.sendall(ANSWER)


def break_off(_connection: socket.socket) -> None:
    """Close without an answer, as a process that dies does."""
