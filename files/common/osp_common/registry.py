"""The registry, as its members and its readers use it.

Layout: `/osp/services/<service>/engines/<ip>:<port>` and `/osp/proxies/<ip>:<port>`, each an
ephemeral node whose name is what counts. Its JSON tells who made it: `instance`, a UUID of the
process; `since`, when that process started; `version`; a proxy adds `status_port`.
A node `/osp/drain/<ip>:<port>` is a mark: the engine or proxy of that name shall get no new request
for as long as the node stands. It is ephemeral too, and belongs to whoever drains. A mark
`<ip>:<port>@<until>` outlives whoever made it, and means nothing after `<until>`, in seconds since
1970.
"""

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, KeeperState

from .settings import Endpoint, ip_address

PROXIES_PATH = "/osp/proxies"
DRAIN_PATH = "/osp/drain"
VERIFY_INTERVAL_S = 2.0
CALL_TIMEOUT_S = 2.0
REOPEN_INTERVAL_S = 1.0

RegistryState = Literal["absent", "registered", "superseded"]

_ERRORS = (KazooException, KazooTimeoutError)
_ENDED = (KeeperState.CLOSED, KeeperState.AUTH_FAILED)

log = logging.getLogger("osp.registry")


def engines_path(service: str) -> str:
    """Return the folder that holds a node for every engine of `service`."""
    return f"/osp/services/{service}/engines"


@dataclass(frozen=True)
class Layout:
    """Where engines register: a folder, and how a node's name tells address and port."""

    folder: str
    node: re.Pattern[str]

    @classmethod
    def parse(cls, pattern: str) -> "Layout":
        """Read a pattern like `/services/hello/providers/{address}_{port}`. Raises ValueError."""
        folder, _, node = pattern.rpartition("/")
        is_path = re.fullmatch(r"(/[^/{}\s]+)+", folder) and not re.search(r"/\.\.?(/|$)", folder)
        if not is_path or sorted(re.findall(r"{.*?}", node)) != ["{address}", "{port}"]:
            raise ValueError(f"{pattern!r} is not a path that ends with {{address}} and {{port}}")
        expression = re.escape(node).replace(r"\{address\}", r"(?P<address>\S+)")
        expression = expression.replace(r"\{port\}", r"(?P<port>[1-9]\d{0,4})")
        return cls(folder, re.compile(expression, re.ASCII))

    @classmethod
    def of(cls, service: str) -> "Layout":
        """Return the layout that engines of our own register by."""
        return cls.parse(f"{engines_path(service)}/{{address}}:{{port}}")

    def engines(self, names: frozenset[str]) -> frozenset[str]:
        """Return the engines behind nodes' names, as `ip:port`; other nodes are passed over."""
        return frozenset(filter(None, map(self._engine, names)))

    def _engine(self, name: str) -> str | None:
        match = self.node.fullmatch(name)
        if match is None:
            return None
        address = match["address"]
        if address.startswith("[") and address.endswith("]"):
            address = address[1:-1]
        try:
            return str(Endpoint.parse(str(Endpoint(ip_address(address), int(match["port"])))))
        except ValueError:
            return None


def describe_instance(version: str, **more: object) -> dict[str, object]:
    """Return what a node says about the process that made it."""
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"instance": str(uuid.uuid4()), "since": since, "version": version, **more}


def marked(marks: frozenset[str], now: float) -> frozenset[str]:
    """Return who is asked to drain at `now` (seconds since 1970) by the names of marks."""
    found = (mark.partition("@") for mark in marks)
    return frozenset(name for name, _, until in found if not until or _is_later(until, now))


def _is_later(until: str, now: float) -> bool:
    return until.isdecimal() and int(until) > now


class Session:
    """A registry session that is opened again, as a new one, whenever it has ended for good.

    kazoo goes on by itself after a lost connection and an expired session, but not where no name
    of the registry resolves, nor where the registry was founded anew: servers refuse a client that
    has seen later transactions than they have (ZooKeeper 3.8). For use by one thread.
    """

    def __init__(self, hosts: str, timeout_s: float, on_change: Callable[[], None]) -> None:
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._on_change = on_change
        self._client: Any = None
        self._opened_at = float("-inf")
        self._connected_at = float("-inf")

    def client(self) -> Any:
        """Return a `KazooClient` while it is connected, otherwise None. Waits only to reopen."""
        now = time.monotonic()
        if self._client is not None and self._client.connected:
            self._connected_at = now
            return self._client
        if self._client is not None and self._is_over(now):
            self._end()
        if self._client is None and now - self._opened_at >= REOPEN_INTERVAL_S:
            self._open()
        return None

    def _is_over(self, now: float) -> bool:
        away_s = now - max(self._connected_at, self._opened_at)
        return self._client.client_state in _ENDED or away_s > 2 * self._timeout_s

    def close(self) -> None:
        """End the session: the registry drops its nodes at once, or at the latest when it expires.

        Waits for kazoo's threads, 10 s at the most. Whoever wants a session again after this, gets
        it at once.
        """
        self._end()
        self._opened_at = float("-inf")

    def _end(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            client.stop()
            client.close()
        except (*_ERRORS, OSError) as error:
            log.warning("the session did not end cleanly: %s", error)

    def _open(self) -> None:
        self._opened_at = time.monotonic()
        self._client = KazooClient(
            hosts=self._hosts,
            timeout=self._timeout_s,
            connection_retry={"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": 2},
        )
        self._client.add_listener(self._on_state)
        self._client.start_async()

    def _on_state(self, _state: KazooState) -> None:
        self._on_change()


class Membership:
    """One ephemeral node, kept in the registry for as long as it is wanted.

    The node belongs to a session that serves nothing else. Leaving ends that session, which
    removes the node if it is still ours, and can't remove one that a successor has put there.
    """

    def __init__(
        self, hosts: str, path: str, instance: Mapping[str, object], session_timeout_s: float
    ) -> None:
        self._path = path
        self._instance = instance
        self._data = json.dumps(instance).encode()
        self._wanted = False
        self._state: RegistryState = "absent"
        self._left = threading.Event()
        self._wake = threading.Event()
        self._session = Session(hosts, session_timeout_s, self._wake.set)
        threading.Thread(target=self._run, name="membership", daemon=True).start()

    @property
    def state(self) -> RegistryState:
        """`superseded`: a process that started later holds the node; it is left alone."""
        return self._state

    @property
    def is_registered(self) -> bool:
        return self._state == "registered"

    def join(self) -> None:
        """Want the node, from now on and through every loss of it. Returns at once."""
        self._wanted = True
        self._wake.set()

    def leave(self, timeout_s: float) -> bool:
        """Want it gone. Returns whether its session was ended within `timeout_s`."""
        self._left.clear()
        self._wanted = False
        self._wake.set()
        return self._left.wait(timeout_s)

    def _run(self) -> None:
        while True:
            self._wake.wait(VERIFY_INTERVAL_S)
            self._wake.clear()
            wanted = self._wanted
            try:
                self._become(self._verify() if wanted else self._end())
            except _ERRORS as error:
                log.warning("%s: %s: %s", self._path, type(error).__name__, error)
                self._become("absent")
            except Exception:
                log.exception("%s", self._path)
            if not wanted:
                self._left.set()

    def _become(self, state: RegistryState) -> None:
        if state != self._state:
            log.info("%s: %s", self._path, state)
        self._state = state

    def _end(self) -> RegistryState:
        self._session.close()
        return "absent"

    def _verify(self) -> RegistryState:
        client = self._session.client()
        if client is None:
            return "absent"
        found = client.exists_async(self._path, watch=self._on_event).get(timeout=CALL_TIMEOUT_S)
        if found is None:
            return self._create(client)
        if found.owner_session_id == client.client_id[0]:
            return "registered"
        try:
            data, found = client.get_async(self._path).get(timeout=CALL_TIMEOUT_S)
        except NoNodeError:
            return self._create(client)
        if is_successor(data, self._instance):
            return "superseded"
        return self._replace(client, found.version)

    def _create(self, client: Any) -> RegistryState:
        parent = self._path.rpartition("/")[0]
        try:
            client.ensure_path_async(parent).get(timeout=CALL_TIMEOUT_S)
            client.create_async(self._path, self._data, ephemeral=True).get(timeout=CALL_TIMEOUT_S)
        except (NodeExistsError, NoNodeError):
            self._wake.set()
            return "absent"
        return "registered"

    def _replace(self, client: Any, version: int) -> RegistryState:
        """Put our node in the place of a former session's, in one step that readers can't see."""
        transaction = client.transaction()
        transaction.delete(self._path, version=version)
        transaction.create(self._path, self._data, ephemeral=True)
        results = transaction.commit_async().get(timeout=CALL_TIMEOUT_S)
        if any(isinstance(result, Exception) for result in results):
            self._wake.set()
            return "absent"
        log.info("%s: replaced the node of a former session", self._path)
        return "registered"

    def _on_event(self, _event: object) -> None:
        self._wake.set()


def is_successor(data: bytes, own: Mapping[str, object]) -> bool:
    """Tell whether a node's `data` was written by another process that started after `own`.

    Both had the same address, so both read the same clock. Data that can't be read was not
    written by a successor.
    """
    try:
        found = json.loads(data)
        since = str(found["since"])
        return bool(found["instance"] != own["instance"]) and since > str(own["since"])
    except (ValueError, TypeError, LookupError):
        return False


class MemberWatch:
    """The names of folders' nodes, read again after every change and every few seconds.

    `on_members` gets a set of names for each path, or None while the registry can't be read. It is
    called from this watch's own thread, after every reading, changed or not. The folders are read
    in the order of `paths`: what was true of a later one when an earlier one was read, or has
    become so since, is in the reading.
    """

    def __init__(
        self,
        hosts: str,
        paths: Sequence[str],
        session_timeout_s: float,
        on_members: Callable[[Mapping[str, frozenset[str]] | None], None],
    ) -> None:
        self._paths = paths
        self._on_members = on_members
        self._closed = False
        self._wake = threading.Event()
        self._session = Session(hosts, session_timeout_s, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """End the watch and its session; gives up waiting for that after `timeout_s`."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closed:
            try:
                self._on_members(self._read())
            except Exception:
                log.exception("%s", ", ".join(self._paths))
            self._wake.wait(VERIFY_INTERVAL_S)
            self._wake.clear()
        self._session.close()

    def _read(self) -> dict[str, frozenset[str]] | None:
        client = self._session.client()
        if client is None:
            return None
        try:
            asked = {
                path: client.get_children_async(path, watch=self._on_event) for path in self._paths
            }
            return {path: self._names(client, path, answer) for path, answer in asked.items()}
        except _ERRORS as error:
            log.warning("%s: %s: %s", ", ".join(self._paths), type(error).__name__, error)
            return None

    def _names(self, client: Any, path: str, answer: Any) -> frozenset[str]:
        """Wait for the answer. A folder that is not there is empty, and awaited."""
        try:
            return frozenset(answer.get(timeout=CALL_TIMEOUT_S))
        except NoNodeError:
            found = client.exists_async(path, watch=self._on_event)
            if found.get(timeout=CALL_TIMEOUT_S) is not None:
                self._wake.set()
            return frozenset()

    def _on_event(self, _event: object) -> None:
        self._wake.set()
