"""Calls to one service, through whichever proxy answers."""

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from .errors import CallError, CallFailed, CallRefused, CallTimeout, NoProxyAvailable
from .exchange import NotConnectedError, Response, exchange
from .proxies import RegisteredProxies, Rotation

IDEMPOTENT_METHODS = ("GET", "HEAD")
METHODS = (*IDEMPOTENT_METHODS, "POST")
UNAVAILABLE_STATUSES = (502, 503, 504)
DISCOVERY_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Reply:
    """What a service answered. `engine` is "" where the answer does not say who gave it."""

    json: Any
    engine: str
    proxy: str
    attempts: int


class Client:
    """Calls `service`. Safe to share between threads; close it, or use it in a `with`.

    Proxies come from `registry` (`host:port,...`) or are given as `proxies` (`ip:port` each).
    `timeout_s` bounds a whole call with all its attempts, `connect_timeout_s` each connection.
    `retries` is how often a request that was sent may be sent again, through another proxy: GET and
    HEAD only. A connection that can't be made is always tried elsewhere, since nothing was sent.
    """

    def __init__(
        self,
        service: str,
        registry: str | None = None,
        proxies: Sequence[str] = (),
        *,
        timeout_s: float = 10.0,
        connect_timeout_s: float = 1.0,
        retries: int = 1,
        session_timeout_s: float = 6.0,
        known_file: Path | None = None,
    ) -> None:
        if bool(registry) == bool(proxies):
            raise ValueError("expected either registry or proxies")
        self.service = service
        self.timeout_s = timeout_s
        self.connect_timeout_s = connect_timeout_s
        self.retries = retries
        self._fixed = frozenset(proxies)
        self._registered = (
            RegisteredProxies(registry, session_timeout_s, known_file) if registry else None
        )
        self._rotation = Rotation()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session with the registry."""
        if self._registered:
            self._registered.close()

    def proxies(self) -> list[str]:
        """Return the proxies that are known, sorted. The first call waits for the registry."""
        if self._registered is None:
            return sorted(self._fixed)
        return sorted(self._registered.names(min(DISCOVERY_TIMEOUT_S, self.timeout_s)))

    def call(self, method: str = "GET", **parameters: object) -> Reply:
        """Call the service once and return its reply. Raises CallError, in one of its kinds."""
        return self.request(method, parameters)

    def request(self, method: str, parameters: Mapping[str, object]) -> Reply:
        """Do what `call` does, for parameters of any name."""
        if method not in METHODS:
            raise ValueError(f"{method!r} is not one of {', '.join(METHODS)}")
        deadline = time.monotonic() + self.timeout_s
        resends_left = self.retries if method in IDEMPOTENT_METHODS else 0
        proxies = self._rotation.order(self.proxies())
        failure: CallError = NoProxyAvailable("no proxy is known")
        for attempt, proxy in enumerate(proxies, start=1):
            try:
                return self._try(proxy, method, parameters, deadline, attempt)
            except NoProxyAvailable as error:
                failure = error
                self._rotation.suspect(proxy)
            except CallError as error:
                failure = error
                if not _may_differ_elsewhere(error) or resends_left == 0:
                    raise
                resends_left -= 1
        raise failure

    def _try(
        self,
        proxy: str,
        method: str,
        parameters: Mapping[str, object],
        deadline: float,
        attempt: int,
    ) -> Reply:
        target, body = _encode(self.service, method, parameters)
        try:
            response = exchange(proxy, method, target, body, self.connect_timeout_s, deadline)
        except NotConnectedError as error:
            raise NoProxyAvailable(str(error), proxy) from error
        except TimeoutError as error:
            raise CallTimeout(f"{proxy}: no reply within {self.timeout_s:g} s", proxy) from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise CallFailed(f"{proxy}: the reply broke off: {reason}", proxy) from error
        if response.status >= 400:
            text = response.body[:200].decode("utf-8", "replace")
            raise CallRefused(f"{proxy}: {response.status} {text}", proxy, response.status)
        return _reply(response, proxy, attempt)


def _may_differ_elsewhere(error: CallError) -> bool:
    if isinstance(error, CallRefused):
        return error.status in UNAVAILABLE_STATUSES
    return not isinstance(error, CallTimeout)


def _encode(service: str, method: str, parameters: Mapping[str, object]) -> tuple[str, bytes]:
    if method == "POST":
        return f"/{service}", json.dumps(dict(parameters), default=str).encode()
    query = urlencode(parameters)
    return f"/{service}?{query}" if query else f"/{service}", b""


def _reply(response: Response, proxy: str, attempts: int) -> Reply:
    try:
        content = json.loads(response.body) if response.body else None
    except ValueError as error:
        raise CallFailed(f"{proxy}: the reply is not JSON", proxy) from error
    engine = content.get("engine", "") if isinstance(content, dict) else ""
    named = response.headers.get("x-osp-proxy", proxy)
    return Reply(json=content, engine=str(engine), proxy=named, attempts=attempts)
