"""An engine that does with each request what a test wants."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class FakeEngine:
    """Counts the service's requests and treats each as `behave` does; checks always succeed."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self.requests: list[str] = []
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
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
                connection.sendall(ANSWER)
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
