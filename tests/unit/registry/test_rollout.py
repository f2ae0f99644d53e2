"""In which order servers are treated, and what their words say of the ensemble."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from threading import Thread

import pytest
from pyinfra.api import State

from roles.container.instance import Instance
from roles.registry import rollout
from roles.registry.rollout import ROLLOUT, leader_last
from roles.run.conductor import NotProven
from roles.run.fleet import Fleet, Member
from tests.unit.build import fleet, local_state, member

NAMES = ("registry-1", "registry-2", "registry-3")
LIMIT = {"server": {"ready_timeout_s": 1}}
ENSEMBLE = fleet(*(member(name, registry=LIMIT) for name in NAMES))
INSTANCE = Instance("zookeeper", {})
Modes = dict[str, str | None]


class Servers:
    """What each server says it is, and who was asked."""

    def __init__(self) -> None:
        self.modes: Modes = dict.fromkeys(NAMES, "follower")
        self.asked: set[str] = set()

    def mode(self, state: State, member: Member) -> str | None:
        self.asked.add(member.name)
        return self.modes[member.name]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    monkeypatch.setattr(rollout, "mode", found.mode)
    return found


@pytest.fixture
def state() -> State:
    return local_state("app-1", *NAMES)


@pytest.mark.parametrize(
    "treated, leader, order",
    [
        (NAMES, "registry-1", ["registry-2", "registry-3", "registry-1"]),
        (NAMES, "registry-2", ["registry-1", "registry-3", "registry-2"]),
        (NAMES, "registry-3", ["registry-1", "registry-2", "registry-3"]),
        (NAMES, None, ["registry-1", "registry-2", "registry-3"]),
        (NAMES[::-1], "registry-2", ["registry-3", "registry-1", "registry-2"]),
        (NAMES[:2], "registry-3", ["registry-1", "registry-2"]),
        (NAMES[:1], "registry-1", ["registry-1"]),
        (
            ("registry-1", "app-1", "registry-2"),
            "registry-1",
            ["app-1", "registry-2", "registry-1"],
        ),
        (("registry-1", "app-1"), "registry-1", ["registry-1", "app-1"]),
    ],
)
def test_the_leader_goes_last(
    state: State, servers: Servers, treated: tuple[str, ...], leader: str | None, order: list[str]
) -> None:
    found = fleet("app-1", *ENSEMBLE.members)
    if leader:
        servers.modes[leader] = "leader"
    members = [found[name] for name in treated]
    assert [m.name for m in leader_last(state, found, members)] == order
    assert "app-1" not in servers.asked


def test_servers_are_treated_one_at_a_time_the_leader_last() -> None:
    assert ROLLOUT.one_at_a_time
    assert ROLLOUT.order is leader_last


@pytest.mark.parametrize(
    "modes, text",
    [
        ({}, None),
        ({"registry-1": None}, None),
        ({"registry-2": None}, "registry-2 serves nobody, so none can be taken away"),
        (
            {"registry-2": None, "registry-3": None},
            "registry-2, registry-3 serves nobody, so none can be taken away",
        ),
    ],
    ids=["all", "only itself not", "another", "both others"],
)
def test_one_is_taken_away_only_where_all_others_serve(
    state: State, servers: Servers, modes: Modes, text: str | None
) -> None:
    servers.modes |= modes
    away = frozenset({"registry-1"})
    aside = rollout.aside(state, ENSEMBLE, ENSEMBLE["registry-1"], INSTANCE, away)
    if text is None:
        with aside:
            assert servers.asked == {"registry-2", "registry-3"}
        return
    with pytest.raises(NotProven, match=text), aside:
        pytest.fail("it was taken away")


ALONE = fleet(member("registry-1", registry=LIMIT))


@pytest.mark.parametrize(
    "found, modes, text",
    [
        (ENSEMBLE, {"registry-2": "leader"}, None),
        (ENSEMBLE, {}, "expected one leader, found none"),
        (
            ENSEMBLE,
            {"registry-1": "leader", "registry-2": "leader"},
            r"expected one leader, found \['registry-1', 'registry-2'\]",
        ),
        (
            ENSEMBLE,
            {"registry-1": "leader", "registry-3": None},
            "registry-3 serves nobody yet",
        ),
        (ENSEMBLE, {"registry-1": "leader", "registry-2": "standalone"}, "expected one leader"),
        (ALONE, {"registry-1": "standalone"}, None),
        (ALONE, {"registry-1": None}, "registry-1 serves nobody yet"),
    ],
    ids=["one leader", "none", "two", "one is silent", "one on its own", "alone", "alone, silent"],
)
def test_an_ensemble_serves_with_one_leader(
    state: State, servers: Servers, found: Fleet, modes: Modes, text: str | None
) -> None:
    servers.modes |= modes
    if text is None:
        rollout.prove(state, found, found["registry-1"], INSTANCE)
        return
    with pytest.raises(NotProven, match=text):
        rollout.prove(state, found, found["registry-1"], INSTANCE)


class Server:
    """A server on this machine that answers a four-letter word."""

    def __init__(self) -> None:
        self.answer = b""
        self.words: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.words.append(connection.recv(4))
                for start in range(0, len(self.answer), 10):
                    connection.sendall(self.answer[start : start + 10])


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.listener.shutdown(socket.SHUT_RDWR)
    found.listener.close()


def asked(state: State, port: int, address: str = "127.0.0.1") -> str | None:
    there = member("registry-1", registry={"server": {"port": port}})
    return rollout.mode(state, replace(there, address=IPv4Address(address)))


@pytest.mark.parametrize(
    "answer, mode",
    [
        (b"Zookeeper version: 3.8.0\nLatency min/avg/max: 0/0/0\nMode: leader\n", "leader"),
        (b"Zookeeper version: 3.8.0\nMode: follower\nNode count: 5\n", "follower"),
        (b"This ZooKeeper instance is not currently serving requests\n", None),
        (b"srvr is not executed because it is not in the whitelist.\n", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
    ids=["leader", "follower", "no quorum", "forbidden", "garbage", "nothing"],
)
def test_what_a_server_says_it_is(
    state: State, server: Server, answer: bytes, mode: str | None
) -> None:
    server.answer = answer
    assert asked(state, server.port) == mode
    assert server.words == [b"srvr"]


def test_a_server_that_does_not_listen_serves_nobody(state: State, server: Server) -> None:
    assert asked(state, server.port, "127.0.0.2") is None
