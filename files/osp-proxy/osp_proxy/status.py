"""The status endpoint: `/status` tells where the proxy stands, `/healthz` whether it serves."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from osp_common.settings import Endpoint

Status = Callable[[], Mapping[str, object]]


def start(listen: Endpoint, status: Status) -> "Server":
    """Serve from a thread of its own. Raises OSError, which names `listen`, if it can't be had."""
    try:
        server = Server(listen, status)
    except OSError as error:
        raise OSError(f"no status endpoint at {listen}: {error}") from error
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server


class Server(ThreadingHTTPServer):
    """Answers with `status()`, which may raise OSError: then the proxy is not healthy."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listen: Endpoint, status: Status) -> None:
        self.status = status
        self.address_family = listen.family
        super().__init__((listen.ip, listen.port), Handler)

    def refuse(self) -> None:
        """Take no more queries, at once: from now on they are a successor's."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        """Bind beside a predecessor that still has the port, and without looking up names."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]


class Handler(BaseHTTPRequestHandler):
    """Answers one query."""

    server: Server
    server_version = "osp-proxy"
    sys_version = ""
    timeout = 10.0

    def do_GET(self) -> None:
        if self.path not in ("/status", "/healthz"):
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"no {self.path} here"})
            return
        try:
            status = self.server.status()
        except OSError as error:
            reason = f"HAProxy does not answer: {error}"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": reason})
            return
        self._answer(HTTPStatus.OK, status if self.path == "/status" else {"healthy": True})

    def _answer(self, code: HTTPStatus, content: Mapping[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: these queries are no traffic."""
