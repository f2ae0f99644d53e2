"""How a command line comes to a host, and both its outputs from it: by SSH, or on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent import subprocess
from pyinfra.api import Host
from pyinfra.api.exceptions import PyinfraError

CHUNK_BYTES = 256 * 1024
MOST_BYTES = 64 * 1024 * 1024
MOST_NOISE_BYTES = 1024 * 1024

Sink = Callable[[bytes], Any]
Execute = Callable[[Host, str, Iterable[bytes], "Collected", "Collected"], int]
"""Runs a command line with what goes to its stdin; returns its exit status."""


class RemoteError(PyinfraError):
    """A command on a host failed, was too slow, or printed too much; the text says which."""


class Collected:
    """One output of a command: kept up to a bound, or handed on; what comes before a mark is not.

    Where the mark never comes, `kept` is what came instead of it: it tells what is wrong.
    """

    def __init__(self, sink: Sink | None = None, after: bytes = b"") -> None:
        self._sink = sink
        self._mark = after
        self._kept = bytearray()

    @property
    def kept(self) -> bytes:
        return bytes(self._kept)

    def take(self, chunk: bytes) -> None:
        if self._mark:
            self._kept += chunk
            _, found, chunk = self.kept.partition(self._mark)
            if not found:
                self._check(MOST_NOISE_BYTES)
                return
            self._mark = b""
            self._kept.clear()
        if self._sink and chunk:
            self._sink(chunk)
            return
        self._kept += chunk
        self._check(MOST_BYTES)

    def _check(self, most_bytes: int) -> None:
        if len(self._kept) > most_bytes:
            raise RemoteError(f"printed more than {most_bytes >> 20} MiB")


def over_ssh(
    host: Host, line: str, chunks: Iterable[bytes], stdout: Collected, stderr: Collected
) -> int:
    transport = host.connector.client.get_transport()  # type: ignore[attr-defined]
    if transport is None:
        raise EOFError("it is closed")
    channel = transport.open_session(timeout=20)
    try:
        channel.exec_command(line)

        def send() -> None:
            try:
                for chunk in chunks:
                    channel.sendall(chunk)
                channel.shutdown_write()
            except OSError:
                return  # the command ended without reading it all: its exit status tells

        workers = [
            gevent.spawn(send),
            gevent.spawn(_drain, channel.recv, stdout),
            gevent.spawn(_drain, channel.recv_stderr, stderr),
        ]
        try:
            gevent.joinall(workers[1:], raise_error=True)
            return int(channel.recv_exit_status())
        finally:
            gevent.killall(workers)
    finally:
        channel.close()


def on_this_machine(
    host: Host, line: str, chunks: Iterable[bytes], stdout: Collected, stderr: Collected
) -> int:
    pipe = subprocess.PIPE
    with subprocess.Popen(line, shell=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:

        def send() -> None:
            try:
                for chunk in chunks:
                    process.stdin.write(chunk)
                process.stdin.close()
            except OSError:
                return

        workers = [
            gevent.spawn(send),
            gevent.spawn(_drain, process.stdout.read1, stdout),
            gevent.spawn(_drain, process.stderr.read1, stderr),
        ]
        try:
            gevent.joinall(workers[1:], raise_error=True)
            return int(process.wait())
        finally:
            gevent.killall(workers)
            if process.poll() is None:
                process.kill()


def _drain(read: Callable[[int], bytes], output: Collected) -> None:
    while chunk := read(CHUNK_BYTES):
        output.take(chunk)
