"""HAProxy's runtime API: one line of commands per connection to its unix socket."""

import csv
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .names import engine_name

TIMEOUT_S = 2.0
MAX_LINE_BYTES = 8000
"""HAProxy takes no more at once than `tune.bufsize`, 16384 where it is not set."""

_FRONTENDS = 1
_SERVERS = 4


@dataclass(frozen=True)
class Server:
    """An engine as HAProxy sees it. `status` is the column of `show stat`, as `UP 1/2`."""

    name: str
    status: str
    in_flight: int
    served: int
    check: str = "L7OK"
    """How the last health check ended, as `L7OK`; `INI` before the first, `* ` while one runs."""

    @property
    def is_removed(self) -> bool:
        """In maintenance: it gets no new request, and those in flight go on."""
        return self.status.startswith("MAINT")

    @property
    def has_failed(self) -> bool:
        """Its health check keeps it out of traffic."""
        return self.status.startswith("DOWN")

    @property
    def state(self) -> str:
        """`up`, `down`, or `draining`: removed while requests are in flight.

        HAProxy takes a new server for up until a check has failed twice; here it is up only when
        its last check has passed.
        """
        if self.is_removed:
            return "draining"
        passed = self.check.removeprefix("* ").startswith(("L4OK", "L6OK", "L7OK"))
        return "up" if passed and self.status.startswith("UP") else "down"


def execute(socket_path: Path, command: str) -> str:
    """Return HAProxy's answer, stripped. Raises OSError where it does not answer in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(socket_path))
        connection.sendall(f"{command}\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.decode().strip()


def execute_all(socket_path: Path, commands: Sequence[str]) -> list[str]:
    """Have HAProxy obey `commands` in order, as few lines as they fit on. Raises OSError.

    Returns the lines of its answers. Most commands that succeed answer nothing.
    """
    answers = [execute(socket_path, line) for line in _lines(commands)]
    return [line for answer in answers for line in answer.splitlines() if line]


def _lines(commands: Sequence[str]) -> Iterator[str]:
    line = ""
    for command in commands:
        if line and len(line) + len(command) >= MAX_LINE_BYTES:
            yield line
            line = ""
        line = f"{line};{command}" if line else command
    if line:
        yield line


def servers(socket_path: Path, service: str) -> list[Server]:
    """Return the engines that HAProxy has for `service`. Raises OSError."""
    return parse_servers(execute(socket_path, f"show stat {service} {_SERVERS} -1"))


def all_servers(socket_path: Path) -> dict[str, list[Server]]:
    """Return the engines that HAProxy has, by service; those without any are absent."""
    by_service = defaultdict(list)
    for row in _rows(execute(socket_path, f"show stat -1 {_SERVERS} -1")):
        by_service[row["pxname"]].append(_server(row))
    return dict(by_service)


def parse_servers(stat: str) -> list[Server]:
    """Read the servers' lines of `show stat` (HAProxy 2.6: CSV, its first line after `# `)."""
    return [_server(row) for row in _rows(stat)]


def _server(row: Mapping[str, str]) -> Server:
    return Server(
        name=engine_name(row["svname"]),
        status=row["status"],
        in_flight=int(row["scur"]),
        served=int(row["stot"]),
        check=row["check_status"],
    )


def requests_total(socket_path: Path, frontend: str) -> int:
    """Return how many requests have come in since HAProxy started. Raises OSError."""
    stat = execute(socket_path, f"show stat {frontend} {_FRONTENDS} -1")
    return sum(int(row["req_tot"]) for row in _rows(stat))


def _rows(stat: str) -> list[dict[str, str]]:
    return list(csv.DictReader(stat.removeprefix("# ").splitlines()))
