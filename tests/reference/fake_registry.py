"""A registry in memory, as far as `osp_common.registry` uses kazoo's client.

It knows sessions, ephemeral nodes, watches and transactions, and fails on request.
"""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, KeeperState

Watch = Callable[[object], None]


@dataclass
class Node:
    data: bytes
    owner_session_id: int | None
    version: int = 0


class Result:
    """What kazoo's `..._async` calls return, already there."""

    def __init__(self, value: object) -> None:
        self._value = value

    def get(self, timeout: float) -> Any:
        assert timeout > 0, "a call without a limit can wait for ever"
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


class FakeRegistry:
    """`is_up`: whether clients can connect. `is_silent`: whether calls get no answer in time.

    `before_commit` runs just before each transaction.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.is_up = True
        self.is_silent = False
        self.before_commit: Callable[[], None] = lambda: None
        self.clients: list[FakeClient] = []
        self.lock = threading.RLock()
        self._session_ids = itertools.count(1)
        self._watches: dict[str, set[Watch]] = {}

    def connect(self, **_: object) -> "FakeClient":
        client = FakeClient(self, next(self._session_ids))
        self.clients.append(client)
        return client

    def refuse_old_clients(self) -> None:
        """Forget everything, and refuse who knew it: a registry that was founded anew."""
        for client in self.clients:
            client.is_refused = True
        self.nodes.clear()

    def put(self, path: str, data: bytes, owner: int | None = None) -> None:
        with self.lock:
            self.nodes[path] = Node(data, owner)
        self._changed(path)

    def remove(self, path: str) -> None:
        with self.lock:
            del self.nodes[path]
        self._changed(path)

    def expire(self, session_id: int) -> None:
        """Drop the nodes of a session, as the registry does when it hears no more of it."""
        for path, node in list(self.nodes.items()):
            if node.owner_session_id == session_id:
                self.remove(path)

    def watch(self, path: str, watch: Watch) -> None:
        self._watches.setdefault(path, set()).add(watch)

    def _changed(self, path: str) -> None:
        for name in (path, path.rpartition("/")[0]):
            for watch in self._watches.pop(name, set()):
                watch(None)


class FakeClient:
    """One session."""

    def __init__(self, registry: FakeRegistry, session_id: int) -> None:
        self._registry = registry
        self._is_open = False
        self.is_refused = False
        self.client_id = (session_id, b"")

    @property
    def connected(self) -> bool:
        return self._is_open and self._registry.is_up and not self.is_refused

    @property
    def client_state(self) -> str:
        return KeeperState.CONNECTED if self._is_open else KeeperState.CLOSED

    def add_listener(self, listener: Callable[[str], None]) -> None:
        listener(KazooState.CONNECTED)

    def start_async(self) -> None:
        self._is_open = True

    def stop(self) -> None:
        self._is_open = False
        self._registry.expire(self.client_id[0])

    def close(self) -> None:
        assert not self._is_open, "kazoo asks for stop() first"

    def exists_async(self, path: str, watch: Watch | None = None) -> Result:
        if watch:
            self._registry.watch(path, watch)
        return self._result(lambda: self._registry.nodes.get(path))

    def get_async(self, path: str) -> Result:
        return self._result(lambda: (self._node(path).data, self._node(path)))

    def get_children_async(self, path: str, watch: Watch) -> Result:
        def children() -> list[str]:
            self._node(path)
            self._registry.watch(path, watch)
            return [
                name.rpartition("/")[2]
                for name in self._registry.nodes
                if name.rpartition("/")[0] == path
            ]

        return self._result(children)

    def ensure_path_async(self, path: str) -> Result:
        def ensure() -> None:
            while path and path not in self._registry.nodes:
                self._registry.put(path, b"")

        return self._result(ensure)

    def create_async(self, path: str, data: bytes, ephemeral: bool) -> Result:
        return self._result(lambda: self.create(path, data, ephemeral))

    def create(self, path: str, data: bytes, ephemeral: bool) -> None:
        if path in self._registry.nodes:
            raise NodeExistsError
        self._registry.put(path, data, self.client_id[0] if ephemeral else None)

    def transaction(self) -> "FakeTransaction":
        return FakeTransaction(self, self._registry)

    def _node(self, path: str) -> Node:
        try:
            return self._registry.nodes[path]
        except KeyError:
            raise NoNodeError from None

    def _result(self, call: Callable[[], object]) -> Result:
        if self._registry.is_silent:
            return Result(KazooTimeoutError())
        with self._registry.lock:
            try:
                return Result(call())
            except Exception as error:
                return Result(error)


class FakeTransaction:
    """A delete and a create that both happen, or neither."""

    def __init__(self, client: FakeClient, registry: FakeRegistry) -> None:
        self._client = client
        self._registry = registry
        self._steps: list[Callable[[], None]] = []

    def delete(self, path: str, version: int) -> None:
        def step() -> None:
            node = self._registry.nodes.get(path)
            if node is None or node.version != version:
                raise NoNodeError
            del self._registry.nodes[path]

        self._steps.append(step)

    def create(self, path: str, data: bytes, ephemeral: bool) -> None:
        self._steps.append(lambda: self._client.create(path, data, ephemeral))

    def commit_async(self) -> Result:
        results: list[object] = []
        self._registry.before_commit()
        with self._registry.lock:
            for step in self._steps:
                try:
                    results.append(step())
                except Exception as error:
                    results.append(error)
        return Result(results)
