"""A server of SSH on 127.0.0.1 that remembers who tried to log in, for tests of first access."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from roles.access.known_hosts import HostKey

ADDRESS = "127.0.0.1"
AS_OPENSSH = {"keys": ["ssh-rsa"]}
"""OpenSSH 8.8 and later sign with an RSA key by SHA-2 alone."""


def private_key() -> str:
    """A new ed25519 key, as OpenSSH writes it."""
    made = Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def loaded(text: str) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))


def new_host_key() -> paramiko.PKey:
    return loaded(private_key())


def as_host_key(key: paramiko.PKey) -> HostKey:
    return HostKey(key.get_name(), key.asbytes())


@dataclass
class Server:
    """`users`: name to password or public key; `path`: programs that stand in for the host's."""

    host_keys: list[paramiko.PKey] = field(default_factory=lambda: [new_host_key()])
    users: Mapping[str, list[str | paramiko.PKey]] = field(default_factory=dict)
    path: Path | None = None
    tried: list[tuple[str, str]] = field(default_factory=list)
    """Who tried to log in, and by what: `password` or `publickey`."""
    connections: int = 0

    def __enter__(self) -> Server:
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._listener.close()
        for transport in self._transports:
            transport.close()

    @property
    def keys(self) -> tuple[HostKey, ...]:
        return tuple(map(as_host_key, self.host_keys))

    @property
    def name(self) -> str:
        return f"[{ADDRESS}]:{self.port}"

    def line(self) -> str:
        """Its line of a known_hosts file."""
        return "".join(f"{self.name} {k.get_name()} {k.get_base64()}\n" for k in self.host_keys)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection, disabled_algorithms=AS_OPENSSH)
            for key in self.host_keys:
                transport.add_server_key(key)
            self._transports.append(transport)
            threading.Thread(target=self._serve, args=(transport,), daemon=True).start()

    def _serve(self, transport: paramiko.Transport) -> None:
        try:
            transport.start_server(server=_Session(self))
        except (OSError, EOFError, paramiko.SSHException):
            transport.close()


class _Session(paramiko.ServerInterface):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._user = ""
        self._targets: dict[int, tuple[str, int]] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        return self._judge(username, "password", password)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._judge(username, "publickey", key)

    def _judge(self, username: str, how: str, given: str | paramiko.PKey) -> int:
        self._server.tried.append((username, how))
        self._user = username
        good = given in self._server.users.get(username, [])
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        try:
            target = socket.create_connection(destination, 5)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=self._pump, args=(chanid, target), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _pump(self, chanid: int, target: socket.socket) -> None:
        transport = next(t for t in self._server._transports if t.server_object is self)
        channel = transport.accept(5)
        assert channel

        def copy(source: Any, sink: Any) -> None:
            try:
                while chunk := source.recv(65536):
                    sink.sendall(chunk)
            except (OSError, EOFError):
                pass
            finally:
                with suppress(OSError, EOFError):
                    sink.close()

        threading.Thread(target=copy, args=(channel, target), daemon=True).start()
        copy(target, channel)

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        path = f"{self._server.path}:{os.environ['PATH']}" if self._server.path else None
        process = subprocess.Popen(
            ["sh", "-c", command.decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LOGIN": self._user, **({"PATH": path} if path else {})},
        )
        given = b""
        while chunk := channel.recv(65536):
            given += chunk
        out, errors = process.communicate(given)
        with suppress(OSError, EOFError, paramiko.SSHException):  # who asked may have gone
            channel.sendall(out)
            channel.sendall_stderr(errors)
            channel.send_exit_status(process.returncode)
            channel.close()
