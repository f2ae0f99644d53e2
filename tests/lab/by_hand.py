"""What somebody does to a host by hand: containers remade through Docker's own interface."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

from tests.lab import LabHost

LIMIT_S = 60

Edit = Callable[[dict[str, Any]], None]
"""Changes a container's configuration, as Docker's `POST /containers/create` takes it."""


class _Socket(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self._path)


def remake(host: LabHost, name: str, edit: Edit) -> None:
    """Put a container in the place of another: all is as it was, but for what `edit` changes."""
    found = _ask(host, "GET", f"/containers/{name}/json")
    made = {**found["Config"], "HostConfig": found["HostConfig"]}
    made.pop("Hostname", None)  # the old one's ID
    edit(made)
    _ask(host, "DELETE", f"/containers/{name}?force=1")
    _ask(host, "POST", f"/containers/create?name={name}", made)
    _ask(host, "POST", f"/containers/{name}/start")


def _ask(host: LabHost, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    connection = _Socket(str(host.root / "run/docker.sock"))
    try:
        content = json.dumps(body) if body is not None else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    assert answer.status < 400, f"{method} {path}: {answer.status} {text.decode()}"
    return json.loads(text) if text.strip() else None
