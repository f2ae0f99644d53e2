"""What the proxies tell of the engines, and what is made of one that tells nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from threading import Thread
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.observed import Container
from roles.proxy import status
from roles.proxy.plan import container
from roles.proxy.status import ListedEngine, Listing, ask_proxies, listed_engines, telling_proxies
from roles.run.fleet import Fleet, Member
from tests.unit.build import change, fleet, local_state, look_again, member, running, serving

FLEET = serving(fleet("app-1", "app-2", "app-3", "registry-1"))


def made(
    told: dict[str, str], *, name: str = "proxy", is_running: bool = True
) -> tuple[Container, ...]:
    """The proxy of app-1, told otherwise than is wanted now."""
    spec = container(FLEET, FLEET["app-1"])
    environment = {**spec.environment, **told}
    return (running(replace(spec, name=name, environment=environment), is_running),)


@pytest.mark.parametrize(
    "containers, told",
    [
        (made({}), {"app-1": 2081}),
        (made({"OSP_STATUS_PORT": "2091"}), {"app-1": 2091}),
        (made({"OSP_STATUS_PORT": ""}), {"app-1": 2081}),
        (made({"OSP_STATUS_PORT": "none"}), {"app-1": 2081}),
        (made({}, name="proxy-next"), {"app-1": 2081}),
        (made({}, is_running=False), {}),
        ((), {}),
    ],
    ids=["as-wanted", "on-another-port", "untold", "no-port", "as-the-next", "stopped", "none"],
)
def test_which_proxies_tell_their_state(
    containers: tuple[Container, ...], told: dict[str, int]
) -> None:
    found = look_again(FLEET, "app-1", containers=containers)
    assert telling_proxies(found) == {**told, "app-2": 2081, "app-3": 2081}


def test_a_proxy_without_a_status_tells_nothing() -> None:
    silent = member("app-1", proxy={"status": None}).wanted
    assert list(telling_proxies(change(FLEET, "app-1", wanted=silent))) == ["app-2", "app-3"]


Answers = dict[str, Listing | None]


class World:
    """What each proxy lists, and which hosts can connect to it."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.reached: set[tuple[str, str]] = set()
        self.connected: set[tuple[str, str, int]] = set()
        self.asked: list[tuple[str, int]] = []

    def listed_engines(self, state: State, member: Member, port: int) -> Listing | None:
        self.asked.append((member.name, port))
        return self.answers.get(member.name, Listing({}))

    def reaches(self, host: Host, address: str, port: int, timeout_s: float) -> bool:
        self.connected.add((host.name, address, port))
        return (host.name, address) in self.reached


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(status, "listed_engines", found.listed_engines)
    monkeypatch.setattr(status, "reaches", found.reaches)
    return found


def asked(
    found: Fleet, judge: Callable[[Listing], str | None] = lambda listing: None
) -> str | None:
    return ask_proxies(local_state(*(m.name for m in found)), found, judge)


def test_every_proxy_is_asked_and_content(world: World) -> None:
    assert asked(FLEET) is None
    assert sorted(world.asked) == [("app-1", 2081), ("app-2", 2081), ("app-3", 2081)]
    assert world.connected == set()


def test_the_first_proxy_that_is_not_content_is_named(world: World) -> None:
    def judge(listing: Listing) -> str | None:
        return "lists a as down" if "a" in listing.engines else None

    down = Listing({"a": ListedEngine("down", registered=True, in_flight=0)})
    world.answers = {"app-2": down, "app-3": down}
    assert asked(FLEET, judge) == "the proxy of app-2 lists a as down"


@pytest.mark.parametrize("peer", ["app-1", "app-3", "registry-1"])
def test_one_that_does_not_answer_but_may_serve_stops_the_rollout(
    world: World, caplog: pytest.LogCaptureFixture, peer: str
) -> None:
    world.answers = {"app-2": None}
    world.reached = {(peer, "198.18.0.12")}
    assert asked(FLEET) == (
        f"the proxy of app-2 does not tell its state, but {peer} can connect to it"
    )
    assert "left out" not in caplog.text


def test_one_that_none_can_connect_to_is_left_out_and_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.answers = {"app-2": None}
    world.reached = {("app-2", "198.18.0.12")}  # itself is no peer
    assert asked(FLEET) is None
    assert "app-2: no peer reaches its proxy any more: it is left out" in caplog.text
    peers = ("app-1", "app-3", "registry-1")
    assert world.connected == {(peer, "198.18.0.12", 2080) for peer in peers}


def test_others_are_judged_where_one_is_left_out(world: World) -> None:
    world.answers = {"app-1": None}
    assert asked(FLEET, lambda listing: "has none") == "the proxy of app-2 has none"


@pytest.mark.parametrize("is_reached", [True, False])
def test_a_host_without_peers_is_its_own(world: World, is_reached: bool) -> None:
    alone = serving(fleet(member("app-1", registry={"connection": "zk-1:2181"})))
    world.answers = {"app-1": None}
    world.reached = {("app-1", "198.18.0.11")} if is_reached else set()
    assert (asked(alone) is None) is not is_reached


def test_a_peer_connects_where_the_container_was_told_to_listen(world: World) -> None:
    moved = made({"EXPORT_IP": "198.18.0.99", "EXPORT_PORT": "2090"})
    world.answers = {"app-1": None}
    asked(look_again(FLEET, "app-1", containers=moved))
    assert ("app-2", "198.18.0.99", 2090) in world.connected


class Endpoint:
    """A status endpoint on this machine."""

    def __init__(self) -> None:
        self.body, self.paths = b"", list[str]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def ask(self, **proxy: Any) -> Listing | None:
        asked = member("app-1", proxy={"status": {"port": 2081, "path": "/state"}, **proxy})
        asked = replace(asked, address=IPv4Address("127.0.0.1"))
        return listed_engines(local_state("app-1"), asked, self.server.server_port)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()
    thread = Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


ENGINE = {"address": "198.18.0.11:1080", "state": "up", "registered": True, "in_flight": 2}


def test_what_a_proxy_lists(endpoint: Endpoint) -> None:
    other = {**ENGINE, "address": "198.18.0.12:1080", "state": "down", "registered": False}
    services = {"sayhello": {"engines": [ENGINE]}, "another": {"engines": [other]}}
    endpoint.body = json.dumps({"since": "2026-11-24T18:00:00Z", "services": services}).encode()
    assert endpoint.ask() == Listing(
        {
            "198.18.0.11:1080": ListedEngine("up", registered=True, in_flight=2),
            "198.18.0.12:1080": ListedEngine("down", registered=False, in_flight=2),
        },
        "2026-11-24T18:00:00Z",
    )
    assert endpoint.paths == ["/state"]


def test_a_proxy_need_not_say_since_when_it_runs(endpoint: Endpoint) -> None:
    endpoint.body = b'{"services": {}}'
    assert endpoint.ask() == Listing({}, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff",
        b"[]",
        b"{}",
        b'{"services": {"sayhello": {}}}',
        b'{"services": {"sayhello": {"engines": [{"address": "198.18.0.11:1080"}]}}}',
    ],
)
def test_what_is_no_listing_is_no_answer(endpoint: Endpoint, body: bytes) -> None:
    endpoint.body = body
    assert endpoint.ask() is None


def test_where_nobody_listens_there_is_no_answer(endpoint: Endpoint) -> None:
    endpoint.body = b'{"services": {}}'
    unused = replace(member("app-1"), address=IPv4Address("127.0.0.2"))
    assert listed_engines(local_state("app-1"), unused, endpoint.server.server_port) is None
