"""The service over HTTP.

GET  /sayhello?name=NAME[&delay_ms=N]   {"message": "Hello, NAME!", "engine": "ip:port", ...}
POST /sayhello                          the same, parameters as JSON or as a form
GET  /healthz                           200 as long as this process serves, draining or not
GET  /healthz?engine=ip:port            421 if this is another engine than the one asked for
GET  /status                            where the engine stands
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from logging import Logger
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from osp_common.settings import Endpoint

DEFAULT_NAME = "world"
MAX_NAME_LENGTH = 200
MAX_BODY_BYTES = 64 * 1024
MAX_DELAY_MS = 30_000
IDLE_TIMEOUT_S = 30.0


class BadRequestError(Exception):
    """The caller sent something that can't be answered; `status` says what kind of thing."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Traffic:
    """Counts the service's requests. Health checks and status queries are not among them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.in_flight = 0
        self.served = 0
        self.is_closing = False
        self._arrived_at = time.monotonic()

    @contextmanager
    def request(self) -> Iterator[int]:
        """Count one request while it is in flight. Yields its number, from 1."""
        with self._changed:
            self.in_flight += 1
            self.served += 1
            self._arrived_at = time.monotonic()
            number = self.served
        try:
            yield number
        finally:
            with self._changed:
                self.in_flight -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """From now on every answer asks its caller to open another connection, elsewhere."""
        self.is_closing = True
        self._arrived_at = time.monotonic()

    def wait_until_quiet(self, quiet_s: float, deadline: float) -> None:
        """Return when no request has arrived for `quiet_s`, at the latest at `deadline`."""
        while True:
            now = time.monotonic()
            until = min(self._arrived_at + quiet_s, deadline)
            if until <= now:
                return
            time.sleep(until - now)

    def wait_until_idle(self, deadline: float) -> bool:
        """Return whether no request is in flight any more, at the latest at `deadline`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.in_flight == 0, timeout=max(0.0, deadline - time.monotonic())
            )


class Server(ThreadingHTTPServer):
    """Listens at one endpoint and answers each connection in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        listen: Endpoint,
        engine: Endpoint,
        traffic: Traffic,
        status: Callable[[], Mapping[str, object]],
        access_log: Logger,
    ) -> None:
        self.engine = engine
        self.traffic = traffic
        self.status = status
        self.access_log = access_log
        self.address_family = listen.family
        super().__init__((listen.ip, listen.port), Handler)

    def server_bind(self) -> None:
        """Bind without looking up the name of the address, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "sayhello-service-engine"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/sayhello":
            with self.server.traffic.request() as number:
                self._say_hello(number, lambda: dict(parse_qsl(url.query)))
        elif url.path == "/healthz":
            self._tell_health(dict(parse_qsl(url.query)).get("engine"))
        elif url.path == "/status":
            self._answer(HTTPStatus.OK, self.server.status())
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"no {url.path} here"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/sayhello":
            with self.server.traffic.request() as number:
                self._say_hello(number, lambda: dict(parse_qsl(url.query)) | self._form())
        else:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"no {url.path} here"})

    def _tell_health(self, asked_for: str | None) -> None:
        """Whoever looks for an engine at an address that it has lost must not take us for it."""
        own = str(self.server.engine)
        if asked_for in (None, own):
            self._answer(HTTPStatus.OK, {"healthy": True, "engine": own})
        else:
            self._answer(
                HTTPStatus.MISDIRECTED_REQUEST,
                {"error": f"this is {own}, not {asked_for}", "engine": own},
            )

    def _say_hello(self, number: int, parameters: Callable[[], dict[str, str]]) -> None:
        try:
            given = parameters()
            name = given.get("name") or DEFAULT_NAME
            if len(name) > MAX_NAME_LENGTH:
                raise BadRequestError(HTTPStatus.BAD_REQUEST, "name is too long")
            delay_ms = _delay_ms(given.get("delay_ms", "0"))
        except BadRequestError as error:
            self.close_connection = True
            self._answer(error.status, {"error": str(error)})
            return
        if delay_ms:
            time.sleep(delay_ms / 1000)
        message = f"Hello, {name}!"
        answer = {"message": message, "engine": str(self.server.engine), "served": number}
        self._answer(HTTPStatus.OK, answer)

    def _form(self) -> dict[str, str]:
        """Read the body's parameters. Raises BadRequestError."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise BadRequestError(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        if int(length) > MAX_BODY_BYTES:
            raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too long")
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        if self.headers.get_content_type() != "application/json":
            return dict(parse_qsl(body))
        try:
            given = json.loads(body)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
        return {key: str(value) for key, value in given.items()}

    def _answer(self, status: HTTPStatus, content: Mapping[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection or self.server.traffic.is_closing:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        if urlsplit(self.path).path != "/healthz":
            self.server.access_log.info(
                "%s %s %s %s", self.client_address[0], self.command, self.path, int(code)
            )

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a broken connection is the caller's business, requests are logged above."""


def _delay_ms(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_DELAY_MS):
        raise BadRequestError(
            HTTPStatus.BAD_REQUEST, f"delay_ms has to be a whole number from 0 to {MAX_DELAY_MS}"
        )
    return int(text)
