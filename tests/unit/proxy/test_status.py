"""What the proxies tell of the engines, and what is made of one that tells nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from threading import Thread
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.container.instance import Instance
from roles.observed import Container, Drained
from roles.proxy import status
from roles.proxy.plan import container
from roles.proxy.status import (
    ListedEngine,
    Listing,
    TellingProxy,
    ask_proxies,
    listed_engines,
    telling_proxies,
    telling_proxy,
    unlisted_proxies,
)
from roles.run.fleet import Fleet
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
    ports = {proxy.name: proxy.status_port for proxy in telling_proxies(found)}
    assert ports == {**told, "app-2": 2081, "app-3": 2081}


def test_how_a_proxy_is_asked() -> None:
    told = {"EXPORT_IP": "203.0.113.9", "EXPORT_PORT": "2090", "OSP_STATUS_PORT": "2091"}
    here = replace(
        member("app-1", proxy={"status": {"path": "/state"}}),
        address=IPv4Address("203.0.113.7"),
        translated_to=IPv4Address("198.18.0.11"),
    )
    assert telling_proxy(here, Instance("proxy", told)) == TellingProxy(
        name="app-1",
        via="app-1",
        endpoint="203.0.113.9:2090",
        address="198.18.0.11",
        status_port=2091,
        status_path="/state",
    )


def test_a_proxy_without_a_status_tells_nothing() -> None:
    silent = member("app-1", proxy={"status": None}).wanted
    found = change(FLEET, "app-1", wanted=silent)
    assert [proxy.name for proxy in telling_proxies(found)] == ["app-2", "app-3"]


FOLDER = "/osp/proxies"
PATTERN = f"{FOLDER}/{{address}}:{{port}}"
Nodes = dict[str, dict[str, dict[str, Any]]]


class KnownProxies:
    """A registry's nodes: folder to name to data."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes

    def names(self, folder: str) -> frozenset[str]:
        return frozenset(self.nodes.get(folder, {}))

    def data(self, path: str) -> dict[str, Any]:
        folder, _, name = path.rpartition("/")
        return self.nodes.get(folder, {}).get(name, {})


def registering(**proxy: Any) -> Fleet:
    """Three proxies that register, and a host without one before them."""
    said = {"registration": PATTERN, **proxy}
    proxies = (member(f"app-{number}", proxy=said) for number in (1, 2, 3))
    return serving(fleet("registry-1", *proxies))


def unlisted(found: Fleet, nodes: Nodes) -> list[TellingProxy]:
    registry: Any = KnownProxies(nodes)
    return unlisted_proxies(found, registry)


OWN = {f"198.18.0.1{number}:2080": {"status_port": 2081} for number in (1, 2, 3)}
STRANGE = "198.18.0.77:2080"
ASKED = TellingProxy(STRANGE, "app-1", STRANGE, "198.18.0.77", 2099, "/status")


@pytest.mark.parametrize(
    "nodes, asked",
    [
        ({FOLDER: OWN}, []),
        ({FOLDER: {**OWN, STRANGE: {"status_port": 2099}}}, [ASKED]),
        ({FOLDER: {STRANGE: {"status_port": 2099}}}, [ASKED]),
        (
            {FOLDER: {"[2001:db8::77]:2080": {"status_port": 2099}}},
            [
                replace(
                    ASKED,
                    name="[2001:db8::77]:2080",
                    endpoint="[2001:db8::77]:2080",
                    address="2001:db8::77",
                )
            ],
        ),
        ({FOLDER: {STRANGE: {}}}, []),
        ({FOLDER: {STRANGE: {"status_port": "2099"}}}, []),
        ({FOLDER: {"198.18.0.77-2080": {}}}, []),
        ({"/other/proxies": {STRANGE: {"status_port": 2099}}}, []),
        ({}, []),
    ],
    ids=[
        "ours",
        "a strange one beside ours",
        "a strange one alone",
        "of IPv6",
        "tells nothing",
        "no number",
        "named otherwise",
        "another folder",
        "nothing",
    ],
)
def test_which_proxies_the_registry_alone_knows(nodes: Nodes, asked: list[TellingProxy]) -> None:
    assert unlisted(registering(), nodes) == asked


def test_several_are_found_in_every_folder_that_is_declared() -> None:
    other = "198.18.0.78:2080"
    elsewhere = {"status": {"port": 2081}, "registration": "/other/{address}:{port}"}
    found = change(registering(), "app-2", wanted=member("app-2", proxy=elsewhere).wanted)
    told = {"status_port": 2099}
    nodes = {FOLDER: {STRANGE: told, "198.18.0.79:2080": told}, "/other": {other: told}}
    names = sorted(proxy.name for proxy in unlisted(found, nodes))
    assert names == [STRANGE, other, "198.18.0.79:2080"]


def test_a_port_of_ours_that_is_no_longer_wanted_is_still_ours() -> None:
    moved = made({"EXPORT_PORT": "2090"})
    found = look_again(registering(), "app-1", containers=moved)
    nodes = {FOLDER: {"198.18.0.11:2090": {"status_port": 2081}}}
    assert unlisted(found, nodes) == []


@pytest.mark.parametrize(
    "proxy",
    [
        {"registration": None},
        {"status": None},
        {"registration": f"{FOLDER}/osp-{{address}}-{{port}}"},
    ],
    ids=["no registration", "no status", "another layout"],
)
def test_no_other_is_asked_where_it_is_not_declared_how(proxy: dict[str, Any]) -> None:
    names = (STRANGE, "osp-198.18.0.77-2080")
    nodes = {FOLDER: {name: {"status_port": 2099} for name in names}}
    assert unlisted(registering(**proxy), nodes) == []


Answers = dict[str, Listing | None]


class World:
    """What each proxy lists, and which hosts can connect to it."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.reached: set[tuple[str, str]] = set()
        self.mute: set[str] = set()
        """Hosts that can't be asked whom they reach."""
        self.connected: set[tuple[str, str, int]] = set()
        self.asked: list[tuple[str, int]] = []

    def listed_engines(self, state: State, proxy: TellingProxy) -> Listing | None:
        self.asked.append((proxy.name, proxy.status_port))
        return self.answers.get(proxy.name, Listing({}))

    def reaches(self, host: Host, address: str, port: int, timeout_s: float) -> bool | None:
        self.connected.add((host.name, address, port))
        if host.name in self.mute:
            return None
        return (host.name, address) in self.reached


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(status, "listed_engines", found.listed_engines)
    monkeypatch.setattr(status, "reaches", found.reaches)
    return found


def asked(
    found: Fleet,
    judge: Callable[[Listing], str | None] = lambda listing: None,
    others: tuple[TellingProxy, ...] = (),
) -> str | None:
    proxies = [*telling_proxies(found), *others]
    return ask_proxies(local_state(*(m.name for m in found)), found, proxies, judge)


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


def test_none_is_left_out_while_a_peer_cannot_be_asked(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.answers, world.mute = {"app-2": None}, {"registry-1"}
    assert asked(FLEET) == (
        "the proxy of app-2 does not tell its state, and not every peer can be asked whether it "
        "serves"
    )
    assert "left out" not in caplog.text


def test_a_drained_peer_that_cannot_be_asked_is_not_waited_for(world: World) -> None:
    """It may be switched off; the others tell."""
    world.answers, world.mute = {"app-2": None}, {"app-3"}
    drained = Drained("ann@laptop", 1_764_000_000, 1_764_007_200, "new disk")
    assert asked(look_again(FLEET, "app-3", drained=drained)) is None
    world.mute = {"app-1", "app-3", "registry-1"}
    assert "not every peer" in str(asked(look_again(FLEET, "app-3", drained=drained)))


def test_one_peer_that_reaches_it_is_named_though_another_cannot_be_asked(world: World) -> None:
    world.answers, world.mute = {"app-2": None}, {"app-1"}
    world.reached = {("app-3", "198.18.0.12")}
    assert asked(FLEET) == "the proxy of app-2 does not tell its state, but app-3 can connect to it"


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


@pytest.mark.parametrize("is_reached", [True, False])
def test_one_of_no_host_of_ours_is_tried_from_all_of_them(world: World, is_reached: bool) -> None:
    world.answers = {STRANGE: None}
    world.reached = {("app-3", "198.18.0.77")} if is_reached else set()
    assert asked(FLEET, others=(ASKED,)) == (
        f"the proxy of {STRANGE} does not tell its state, but app-3 can connect to it"
        if is_reached
        else None
    )
    assert world.connected == {(m.name, "198.18.0.77", 2080) for m in FLEET}


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

    def ask(self, address: str = "127.0.0.1") -> Listing | None:
        port = self.server.server_port
        asked = replace(ASKED, via="app-1", address=address, status_port=port, status_path="/state")
        return listed_engines(local_state("app-2", "app-1"), asked)


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
    assert endpoint.ask("127.0.0.2") is None


def test_a_proxy_is_asked_through_the_host_that_reaches_it(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, int]] = []

    @contextmanager
    def forwarded(host: Host, address: str, port: int) -> Iterator[tuple[str, int]]:
        asked.append((host.name, address, port))
        yield "127.0.0.1", endpoint.server.server_port

    monkeypatch.setattr(status, "forwarded", forwarded)
    endpoint.body = b'{"services": {}}'
    assert listed_engines(local_state("app-2", "app-1"), ASKED) == Listing({}, "")
    assert asked == [("app-1", "198.18.0.77", 2099)]
    assert endpoint.paths == ["/status"]
