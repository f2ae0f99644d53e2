"""A caller that numbers its requests and sends each once: `python -m tests.lab.caller`.

Runs until its stdin ends. Every worker sends one request after the other: some keep their
connection as long as the server does, some open one for each request; every second request is a
POST; some workers ask for answers that take seconds. Nothing is ever sent again. With --registry
the proxies are those that are registered, as the sdk finds them: whoever calls one that has left
turns to another with the next request. For each request one line of JSON, a list: number, method,
proxy, sent_at (time.time()), took_s, engine, error.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import click

TIMEOUT_S = 30.0
DISCOVERY_S = 10
SLOW_MS = 3000
QUICK, SLOW = 6, 2
"""Workers for each proxy."""
PAUSE_AFTER_ERROR_S = 0.05


class Broken(Exception):
    """The answer is not what it should be; the text says what it was."""


class Connection:
    """An HTTP/1.1 connection to one proxy, opened when it is needed."""

    def __init__(self, proxy: str, keeps: bool) -> None:
        self.proxy = proxy
        self._keeps = keeps
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, target: str, body: bytes) -> bytes:
        """Send a request once and return its answer's body. Raises Broken, OSError, EOFError."""
        if self._streams is None:
            host, _, port = self.proxy.rpartition(":")
            self._streams = await asyncio.open_connection(host.strip("[]"), int(port))
        reader, writer = self._streams
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.proxy}"]
        if not self._keeps:
            lines.append("Connection: close")
        if method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((v for k, v in _headers(head) if k == "content-length"), None)
        answer = await (reader.read() if length is None else reader.readexactly(int(length)))
        if not self._keeps or "connection: close" in head or length is None:
            self.close()
        status = head.split(" ", 2)[1]
        if status != "200":
            raise Broken(f"status {status}: {answer[:100].decode('utf-8', 'replace')}")
        return answer

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


def _headers(head: str) -> list[tuple[str, str]]:
    lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
    return [(name.strip(), value.strip()) for name, _, value in lines]


class Caller:
    """Calls one service through all proxies at once, until it is told to end."""

    def __init__(
        self, service: str, proxies: Callable[[], Collection[str]], rate_per_s: float
    ) -> None:
        self._service = service
        self._proxies = proxies
        self._first = sorted(proxies())
        self._interval_s = QUICK * len(self._first) / rate_per_s
        self._numbers = itertools.count()
        self._ends = False

    async def run(self) -> None:
        """Call until stdin ends, and until what is in flight then has its answer."""
        async with asyncio.TaskGroup() as workers:
            for proxy in self._first:
                for index in range(QUICK + SLOW):
                    keeps, slow = index % 2 == 0, index >= QUICK
                    workers.create_task(self._work(Connection(proxy, keeps), slow))
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            self._ends = True

    async def _work(self, connection: Connection, slow: bool) -> None:
        while not self._ends:
            known = self._proxies()
            if connection.proxy not in known:
                connection.close()
                connection.proxy = random.choice(sorted(known))
            took_s = await self._call(connection, next(self._numbers), slow)
            await asyncio.sleep(0 if slow else max(0.0, self._interval_s - took_s))

    async def _call(self, connection: Connection, number: int, slow: bool) -> float:
        method = "POST" if number % 2 else "GET"
        target = f"/{self._service}?name=r{number}{f'&delay_ms={SLOW_MS}' if slow else ''}"
        body = json.dumps({"name": f"r{number}"}).encode() if method == "POST" else b""
        sent_at, start = time.time(), time.monotonic()
        engine = error = ""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = json.loads(await connection.ask(method, target, body))
            engine = str(answer["engine"])
            if answer["message"] != f"Hello, r{number}!":
                raise Broken(f"another's answer: {answer}")
        except (OSError, EOFError, ValueError, LookupError, Broken) as problem:
            error = f"{type(problem).__name__}: {problem}"
            connection.close()
            await asyncio.sleep(PAUSE_AFTER_ERROR_S)
        took_s = time.monotonic() - start
        told = [
            number,
            method,
            connection.proxy,
            round(sent_at, 4),
            round(took_s, 4),
            engine,
            error,
        ]
        sys.stdout.write(json.dumps(told) + "\n")
        return took_s


def registered(registry: str) -> Callable[[], frozenset[str]]:
    """What the sdk itself knows of proxies at any moment."""
    files = Path(__file__).parents[2] / "files"
    sys.path[:0] = [str(files / "osp-sdk"), str(files / "common")]
    from osp_sdk.proxies import RegisteredProxies

    proxies = RegisteredProxies(registry, session_timeout_s=6, known_file=None)
    return lambda: proxies.names(DISCOVERY_S)


@click.command()
@click.option("--proxies", help="ADDRESS:PORT,ADDRESS:PORT,...")
@click.option("--registry", help="ADDRESS:PORT,... of the registry that knows them, instead.")
@click.option(
    "--rate", "rate_per_s", default=300.0, show_default=True, help="Quick requests a second."
)
@click.option("--service", default="sayhello", show_default=True)
def main(proxies: str | None, registry: str | None, rate_per_s: float, service: str) -> None:
    """Call through all proxies until stdin ends; one line of JSON a request."""
    if bool(proxies) == bool(registry):
        raise click.UsageError("expected either --proxies or --registry")
    found = registered(str(registry)) if registry else frozenset(str(proxies).split(","))
    known = found if callable(found) else lambda: found
    asyncio.run(Caller(service, known, rate_per_s).run())


if __name__ == "__main__":
    main()
