"""What a session asks of the registry, against a client that only pretends to have one."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from gevent import Timeout
from kazoo.exceptions import ConnectionLoss, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

from roles.observed.channel import LeaseLost
from roles.registry.session import ASK_S, DRAIN_PATH, Registry, session
from tests.unit.build import local_state

NAME = "198.18.0.11:1080"
MARK = f"{DRAIN_PATH}/{NAME}"
OURS, ANOTHERS = 7, 8


class Node(NamedTuple):
    data: bytes
    owner_session_id: int
    creation_transaction_id: int = 0


class Answer:
    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask

    def get(self, timeout: float | None = None) -> Any:
        assert timeout == ASK_S, "kazoo itself waits for ever"
        return self._ask()


class Client:
    """As much of a kazoo client as a session asks, over a dict of nodes."""

    client_id = (OURS, b"password")

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.fails: dict[str, BaseException] = {}

    def _answer(self, kind: str, ask: Callable[[], Any]) -> Answer:
        def answer() -> Any:
            if kind in self.fails:
                raise self.fails[kind]
            return ask()

        return Answer(answer)

    def get_children_async(self, folder: str) -> Answer:
        def ask() -> list[str]:
            below = [p.removeprefix(f"{folder}/") for p in self.nodes if p.startswith(f"{folder}/")]
            if not below:
                raise NoNodeError
            return below

        return self._answer("children", ask)

    def get_async(self, path: str) -> Answer:
        return self._answer("get", lambda: (self._there(path).data, self.nodes[path]))

    def exists_async(self, path: str) -> Answer:
        return self._answer("exists", lambda: self.nodes.get(path))

    def ensure_path_async(self, path: str) -> Answer:
        return self._answer("ensure", lambda: self.nodes.setdefault(path, Node(b"", 0)))

    def create_async(self, path: str, value: bytes, ephemeral: bool = False) -> Answer:
        def ask() -> None:
            self._there(path.rpartition("/")[0])
            if path in self.nodes:
                raise NodeExistsError
            self.nodes[path] = Node(value, OURS if ephemeral else 0)

        return self._answer("create", ask)

    def delete_async(self, path: str) -> Answer:
        def ask() -> None:
            self._there(path)
            del self.nodes[path]

        return self._answer("delete", ask)

    def _there(self, path: str) -> Node:
        if path not in self.nodes:
            raise NoNodeError
        return self.nodes[path]


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def registry(client: Client) -> Registry:
    return Registry(client)


UNTOLD = [ConnectionLoss(), KazooTimeoutError(), Timeout()]
untold = pytest.mark.parametrize("error", UNTOLD, ids=lambda error: type(error).__name__)


def test_a_mark_says_who_asks_and_lives_as_long_as_the_session(
    client: Client, registry: Registry
) -> None:
    assert registry.mark(NAME, "rollout") is True
    assert client.nodes[MARK].owner_session_id == OURS
    told = json.loads(client.nodes[MARK].data)
    assert set(told) == {"by", "since", "reason"}
    assert told["reason"] == "rollout"
    assert "@" in told["by"]
    assert told["since"].endswith("+00:00")


def test_a_mark_that_stands_is_not_made_again(client: Client, registry: Registry) -> None:
    registry.mark(NAME, "rollout")
    before = client.nodes[MARK]
    assert registry.mark(NAME, "another") is False
    assert client.nodes[MARK] is before


def test_the_mark_of_another_session_is_not_ours(client: Client, registry: Registry) -> None:
    client.nodes[MARK] = Node(b"", ANOTHERS)
    assert registry.has_marked(NAME) is False
    assert registry.mark(NAME, "rollout") is False
    assert client.nodes[MARK].owner_session_id == ANOTHERS


def test_a_mark_stands_until_it_is_lost(client: Client, registry: Registry) -> None:
    assert registry.has_marked(NAME) is False
    registry.mark(NAME, "rollout")
    assert registry.has_marked(NAME) is True
    del client.nodes[MARK]
    assert registry.has_marked(NAME) is False


@untold
def test_a_mark_that_cannot_be_seen_does_not_stand(
    client: Client, registry: Registry, error: BaseException
) -> None:
    registry.mark(NAME, "rollout")
    client.fails["exists"] = error
    assert registry.has_marked(NAME) is False


def test_which_transaction_has_made_a_node(client: Client, registry: Registry) -> None:
    assert registry.made("/osp/engines", "a") is None
    client.nodes["/osp/engines/a"] = Node(b"", ANOTHERS, 12)
    assert registry.made("/osp/engines", "a") == 12


@untold
def test_who_has_made_a_node_may_not_be_told(
    client: Client, registry: Registry, error: BaseException
) -> None:
    client.nodes["/osp/engines/a"] = Node(b"", ANOTHERS, 12)
    client.fails["exists"] = error
    assert registry.made("/osp/engines", "a") is None


@pytest.mark.parametrize("kind", ["ensure", "create"])
@untold
def test_a_mark_that_cannot_be_told_was_not_made(
    client: Client, registry: Registry, kind: str, error: BaseException
) -> None:
    client.fails[kind] = error
    assert registry.mark(NAME, "rollout") is False


def test_a_mark_that_another_makes_meanwhile_is_not_ours(
    client: Client, registry: Registry
) -> None:
    client.fails["create"] = NodeExistsError()
    assert registry.mark(NAME, "rollout") is False


def test_a_mark_is_taken_away(client: Client, registry: Registry) -> None:
    registry.mark(NAME, "rollout")
    registry.unmark(NAME)
    assert MARK not in client.nodes


@untold
def test_a_mark_that_cannot_be_taken_away_now_is_no_failure(
    client: Client, registry: Registry, error: BaseException
) -> None:
    client.fails["delete"] = error
    registry.unmark(NAME)


def test_removing(client: Client, registry: Registry) -> None:
    client.nodes["/osp/engines/a"] = client.nodes["/osp/engines/b"] = Node(b"", ANOTHERS)
    assert registry.remove("/osp/engines", "a") is True
    assert list(client.nodes) == ["/osp/engines/b"]
    assert registry.remove("/osp/engines", "a") is True, "what is not there is gone"


@untold
def test_whether_a_node_is_gone_may_not_be_told(
    client: Client, registry: Registry, error: BaseException
) -> None:
    client.fails["delete"] = error
    assert registry.remove("/osp/engines", "a") is False


def test_the_names_in_a_folder(client: Client, registry: Registry) -> None:
    assert registry.names("/osp/engines") == frozenset()
    assert registry.has("/osp/engines", "a") is False
    client.nodes["/osp/engines/a"] = Node(b"", ANOTHERS)
    assert registry.names("/osp/engines") == {"a"}
    assert registry.has("/osp/engines", "a") is True
    assert registry.has("/osp/engines", "b") is False


@untold
def test_names_that_cannot_be_told_are_not_none(
    client: Client, registry: Registry, error: BaseException
) -> None:
    client.fails["children"] = error
    assert registry.names("/osp/engines") is None
    assert registry.has("/osp/engines", "a") is None


@pytest.mark.parametrize(
    "held, data",
    [
        (b'{"by": "me"}', {"by": "me"}),
        (b"", {}),
        (b"not JSON", {}),
        (b"\xff", {}),
        (b'["by"]', {}),
        (None, {}),
    ],
    ids=["object", "empty", "no JSON", "no UTF-8", "a list", "no node"],
)
def test_what_a_node_holds(
    client: Client, registry: Registry, held: bytes | None, data: dict[str, str]
) -> None:
    if held is not None:
        client.nodes["/a"] = Node(held, 0)
    assert registry.data("/a") == data


@untold
def test_what_cannot_be_read_is_empty(
    client: Client, registry: Registry, error: BaseException
) -> None:
    client.nodes["/a"] = Node(b'{"by": "me"}', 0)
    client.fails["get"] = error
    assert registry.data("/a") == {}


def test_a_registry_that_takes_connections_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that hangs is no other than one that is down."""
    monkeypatch.setattr("roles.registry.session.CONNECT_S", 0.5)
    monkeypatch.setattr("roles.registry.session.SESSION_S", 1.0)
    via = local_state("app-1").inventory.get_host("app-1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place, began = f"127.0.0.1:{silent.getsockname()[1]}", time.monotonic()
        text = f"^the registry at {place} does not answer, asked from app-1$"
        with pytest.raises(ConnectionError, match=text), session(via, place):
            pytest.fail("nobody has answered")
    assert time.monotonic() - began < 5


def test_a_kept_mark_outlives_its_session_and_takes_the_place_of_others() -> None:
    client = Client()
    registry = Registry(client)  # type: ignore[arg-type]
    assert registry.keep_marked(NAME, 100, {"host": "app-1", "reason": "disk"})
    assert registry.keep_marked(NAME, 200, {"host": "app-1", "reason": "disk"})
    assert registry.keep_marked(NAME, 200, {"host": "app-1", "reason": "disk"})
    assert registry.kept_marks() == {f"{NAME}@200": 200}
    node = client.nodes[f"{MARK}@200"]
    assert node.owner_session_id == 0
    told = json.loads(node.data)
    assert (told["host"], told["reason"]) == ("app-1", "disk")
    assert registry.hosts_away(199) == {"app-1": told}
    assert registry.hosts_away(200) == {}
    assert registry.unkeep(NAME)
    assert registry.kept_marks() == {}


def test_a_mark_that_cant_be_kept_is_told() -> None:
    client = Client()
    registry = Registry(client)  # type: ignore[arg-type]
    client.fails["create"] = ConnectionLoss()
    assert not registry.keep_marked(NAME, 100, {})
    client.fails = {"children": ConnectionLoss()}
    assert not registry.unkeep(NAME)


def test_who_has_lost_the_lease_marks_and_removes_nothing_but_takes_its_mark_away(
    client: Client,
) -> None:
    def refuse() -> None:
        raise LeaseLost("app-1: lease: bob@desk took it")

    client.nodes[MARK] = Node(b"", OURS)
    registry = Registry(client, refuse)
    with pytest.raises(LeaseLost):
        registry.remove(DRAIN_PATH, NAME)
    with pytest.raises(LeaseLost):
        registry.mark("198.18.0.12:1080", "rollout")
    assert set(client.nodes) == {MARK}
    registry.unmark(NAME)
    assert not client.nodes


def test_the_mark_of_another_session_is_not_taken_away(client: Client, registry: Registry) -> None:
    client.nodes[MARK] = Node(b"", ANOTHERS)
    registry.unmark(NAME)
    assert MARK in client.nodes
