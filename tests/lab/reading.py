"""Read back what is true on hosts, in the registry and at a proxy, with tools that are not ours."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kazoo.client import KazooClient

from tests.lab import LabHost, cgroups

T = TypeVar("T")

ENGINES = "/osp/services/sayhello/engines"
PROXIES = "/osp/proxies"
MARKS = "/osp/drain"
LEASE = "/var/lib/dockyard/lease/record"
ASK_S = 10

LOGINS = ("/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/var/lib/wtmpdb", "/var/lib/sudo")
CLOCKS = ("/var/lib/systemd", "/var/log/journal")
LEASES = ("/var/lib/dockyard/lease",)
SERVICE = ("/apps/logs/", "/apps/data/zookeeper/version-2", "/apps/data/osp-proxy/")
READERS = ("/var/lib/rpm/rpmdb.sqlite-",)  # what SQLite makes where a database is only read
VOLATILE = (*LOGINS, *CLOCKS, *LEASES, *SERVICE, *READERS)
"""What changes on a host by itself: by its logins, its own services, and the parts that serve."""


@dataclass(frozen=True)
class Container:
    id: str
    image: str
    started_at: str
    running: bool
    environment: dict[str, str]


def disk(host: LabHost) -> dict[str, str]:
    """Return everything that differs from a bare host: path to kind, mode, owner, size and time.

    Of directories the time is left out: a volatile file may have come or gone in them.
    """
    found: dict[str, str] = {}
    for directory, folders, files in os.walk(host.upper):
        for name in (*folders, *files):
            path = Path(directory, name)
            shown = f"/{path.relative_to(host.upper)}"
            if not shown.startswith(VOLATILE):
                found[shown] = _described(path.lstat())
    for name in ("docker", "containerd"):
        for path in (host.directory / name).iterdir():
            found[f"/var/lib/{name}/{path.name}"] = "there"
    return found


def _described(status: os.stat_result) -> str:
    words = [stat.filemode(status.st_mode), f"{status.st_uid}:{status.st_gid}"]
    if not stat.S_ISDIR(status.st_mode):
        words += [str(status.st_size), str(status.st_mtime_ns)]
    return " ".join(words)


def containers(host: LabHost) -> dict[str, Container]:
    """Return the host's containers by name, as `docker inspect` tells them."""
    text = host.run('ids=$(docker ps -aq); [ -z "$ids" ] || docker inspect $ids').stdout
    return {found["Name"].lstrip("/"): _container(found) for found in json.loads(text or "[]")}


def _container(found: dict[str, Any]) -> Container:
    return Container(
        id=found["Id"],
        image=found["Image"],
        started_at=found["State"]["StartedAt"],
        running=found["State"]["Running"],
        environment=dict(line.split("=", 1) for line in found["Config"]["Env"] or ()),
    )


def main_pid(host: LabHost, service: str) -> str:
    """Return a service's main PID as systemd tells it; "0" where it does not run."""
    return host.run(f"systemctl show --property MainPID --value {service}").stdout.strip()


@contextmanager
def processes_seen(hosts: Sequence[LabHost]) -> Iterator[set[str]]:
    """Collect the command lines and environments of all processes that run on hosts meanwhile."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            for pid in (pid for host in hosts for pid in cgroups.pids(host.machine)):
                for name in ("cmdline", "environ"):
                    with suppress(OSError):  # it has ended
                        text = Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ")
                        seen.add(text.decode(errors="replace"))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def commands_sent(host: LabHost) -> int:
    """Return how many commands were sent to the host by SSH since it booted, this one included."""
    count = "journalctl --sync; journalctl -b | grep -c 'Starting session: command'"
    return int(host.run(count).stdout)


@contextmanager
def registry(*hosts: LabHost, port: int = 2181) -> Iterator[KazooClient]:
    """Yield a session with the registry on these hosts."""
    client = KazooClient(hosts=",".join(f"{host.address}:{port}" for host in hosts))
    client.start(timeout=ASK_S)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def registered(*hosts: LabHost) -> dict[str, set[str]]:
    """Return the names of the nodes of the engines and of the proxies in the registry."""
    with registry(*hosts) as client:
        return {path: set(client.get_children(path)) for path in (ENGINES, PROXIES)}


def marks(*hosts: LabHost) -> list[str]:
    """Return who is asked to drain, as the registry on these hosts has it."""
    with registry(*hosts) as client:
        found: list[str] = client.get_children(MARKS) if client.exists(MARKS) else []
        return found


def leased_to(host: LabHost) -> str:
    """Return the token of the run that has the host, or had it when it died; else nothing."""
    return host.run(f"head -n 1 {LEASE}").stdout.strip()


def await_expiry(hosts: Sequence[LabHost], limit_s: float) -> None:
    """Return when the lease of a run that died has run out, by the hosts' own clocks."""
    is_over = f"[ $(date +%s) -ge $(sed -n 2p {LEASE}) ]"
    wait_until(
        lambda: all(host.run(is_over, check=False).returncode == 0 for host in hosts),
        "the lease has run out",
        limit_s,
    )


def four_letters(host: LabHost, word: str, port: int = 2181) -> dict[str, str]:
    """Return what a registry server answers to `srvr`, by the start of its lines."""
    with socket.create_connection((host.address, port), timeout=ASK_S) as connection:
        connection.sendall(word.encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    return dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)


def get(host: LabHost, port: int, path: str, timeout_s: float = ASK_S) -> Any:
    """Ask a host by HTTP, once, and return the JSON that it answers."""
    with urllib.request.urlopen(f"http://{host.address}:{port}{path}", timeout=timeout_s) as answer:
        return json.load(answer)


def answering(proxy: LabHost, calls: int = 12) -> Counter[str]:
    """Call the service through one proxy, directly; count the engines that answered."""
    return Counter(get(proxy, 2080, "/sayhello")["engine"] for _ in range(calls))


def up(proxy: LabHost) -> set[str]:
    """Return the engines that a proxy lists as up; none where it does not answer."""
    try:
        services = get(proxy, 2081, "/status", timeout_s=2)["services"]
    except OSError:
        return set()
    return {e["address"] for s in services.values() for e in s["engines"] if e["state"] == "up"}


def of_each(hosts: Sequence[LabHost], look: Callable[[LabHost], T]) -> dict[str, T]:
    """Look at hosts side by side; return what was seen by host name."""
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        return dict(zip((host.name for host in hosts), pool.map(look, hosts), strict=True))


def wait_until(is_so: Callable[[], object], what: str, timeout_s: float = 30) -> None:
    """Return when `is_so` is true; fail with `what` where it still is not after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"after {timeout_s:g} s still not: {what}"
        time.sleep(0.1)
