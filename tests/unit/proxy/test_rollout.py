"""When a proxy may go, and what proves a new one, with nobody really asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.container.instance import Instance
from roles.proxy import rollout
from roles.proxy.plan import successor
from roles.proxy.rollout import ROLLOUT
from roles.proxy.status import ListedEngine, Listing, TellingProxy
from roles.run.conductor import NotProven
from roles.run.fleet import Fleet
from tests.unit.build import fleet, local_state, look_again, member, serving

FOLDER = "/osp/proxies"
NAME = "198.18.0.11:2080"
INSTANCE = Instance("proxy", {})
MADE_AT = "2026-11-24T18:00:00.500000"
HANDOVER = {
    "handover": True,
    "data": {"host": "/apps/data/proxy", "container": "/usr/local/proxy/data"},
}
UP = ListedEngine("up", registered=True, in_flight=0)
DOWN = ListedEngine("down", registered=True, in_flight=0)


def listing(since: str = "", **engines: ListedEngine) -> Listing:
    """What a proxy lists: `app_1` is the engine of app-1, up unless it is said otherwise."""
    found = {"app_1": UP, "app_2": UP, **engines}
    return Listing({f"198.18.0.1{name[-1]}:1080": found[name] for name in found}, since)


class World:
    """What each proxy answers, one answer after the other, and the registry's nodes."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Listing | None]] = {}
        self.asked: list[tuple[str, int]] = []
        self.nodes: list[bool | None] = [True]
        self.looked_for: list[tuple[str, str]] = []
        self.steady: list[str] = []
        self.commands: list[list[str]] = []

    def listed_engines(self, state: State, proxy: TellingProxy) -> Listing | None:
        self.asked.append((proxy.name, proxy.status_port))
        answers = self.answers.get(proxy.name, [listing()])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def has(self, folder: str, name: str) -> bool | None:
        self.looked_for.append((folder, name))
        return self.nodes.pop(0) if len(self.nodes) > 1 else self.nodes[0]

    @contextmanager
    def session(self, host: Host, connection: str) -> Iterator[World]:
        yield self

    def prove_steady(self, state: State, host: Host, name: str) -> None:
        self.steady.append(name)

    def run(self, state: State, host: Host, command: list[str], **_: Any) -> SimpleNamespace:
        self.commands.append(command)
        return SimpleNamespace(text=f"{MADE_AT}123Z\n")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> World:
    found = World()
    caplog.set_level(logging.INFO, logger="pyinfra")
    for name in ("listed_engines", "session", "prove_steady"):
        monkeypatch.setattr(rollout, name, getattr(found, name))
    monkeypatch.setattr("roles.proxy.rollout.channel.run", found.run)
    monkeypatch.setattr(rollout, "READY_S", 0.2)
    return found


def proxies(*names: str, **proxy: Any) -> Fleet:
    """Hosts with an engine and a proxy, which is proven within a second."""
    said = {"registration": f"{FOLDER}/{{address}}:{{port}}", "ready_timeout_s": 1, **proxy}
    return serving(fleet(*(member(name, proxy=said) for name in names), "registry-1"))


TWO = proxies("app-1", "app-2")
THREE = proxies("app-1", "app-2", "app-3")


def set_aside(found: Fleet, away: str = "app-1") -> bool:
    """Have the proxy of app-1 set aside; True where it was."""
    state = local_state(*(m.name for m in found))
    away_now = frozenset(away.split())
    with rollout.aside(state, found, found["app-1"], INSTANCE, away_now):
        return True


def prove(found: Fleet, instance: Instance = INSTANCE) -> None:
    rollout.prove(local_state(*(m.name for m in found)), found, found["app-1"], instance)


@pytest.mark.parametrize(
    "silent, away, asked",
    [
        ([], "app-1", {"app-2"}),
        (["app-1"], "app-1", {"app-2"}),
        (["app-2"], "app-1", {"app-2", "app-3"}),
        ([], "app-1 app-2", {"app-3"}),
    ],
    ids=["the next answers", "itself is silent", "the one after", "the next is away"],
)
def test_a_proxy_goes_where_another_answers(
    world: World, silent: list[str], away: str, asked: set[str]
) -> None:
    world.answers = {name: [None] for name in silent}
    assert set_aside(THREE, away)
    assert {name for name, _ in world.asked} == asked


def test_it_is_waited_for_that_another_answers(world: World) -> None:
    world.answers = {"app-2": [None, listing()]}
    assert set_aside(TWO)
    assert [name for name, _ in world.asked] == ["app-2", "app-2"]


def test_a_proxy_stays_where_no_other_answers(world: World) -> None:
    world.answers = {"app-2": [None], "app-3": [None]}
    with pytest.raises(NotProven, match="none of app-2, app-3 answers, so this proxy can't be"):
        set_aside(THREE)


@pytest.mark.parametrize(
    "found, away",
    [
        (proxies("app-1"), "app-1"),
        (proxies("app-1", "app-2", status=None), "app-1"),
        (TWO, "app-1 app-2"),
        (look_again(TWO, "app-2", containers=()), "app-1"),
    ],
    ids=["the only one", "none tells", "all are away", "none runs beside it"],
)
def test_where_no_other_can_be_asked_it_goes_all_the_same(
    world: World, found: Fleet, away: str
) -> None:
    assert set_aside(found, away)
    assert world.asked == []


def test_one_whose_successor_has_its_listeners_goes_at_once(world: World) -> None:
    assert ROLLOUT.successor is successor
    assert (ROLLOUT.aside, ROLLOUT.prove) == (rollout.aside, rollout.prove)
    assert ROLLOUT.relieved is not None
    world.answers = {"app-2": [None]}
    with ROLLOUT.relieved(local_state("app-1"), TWO, TWO["app-1"], INSTANCE, frozenset()):
        assert world.asked == []


def test_a_proxy_that_lists_all_engines_and_is_registered_is_proven(world: World) -> None:
    prove(TWO)
    assert world.asked == [("app-1", 2081)]
    assert world.looked_for == [(FOLDER, NAME)]
    assert world.steady == []
    assert world.commands == []


def test_the_instance_at_hand_is_asked_and_looked_for(world: World) -> None:
    told = {"EXPORT_IP": "198.18.0.99", "EXPORT_PORT": "2090", "OSP_STATUS_PORT": "2091"}
    prove(TWO, Instance("proxy-next", told))
    assert world.asked == [("app-1", 2091)]
    assert world.looked_for == [(FOLDER, "198.18.0.99:2090")]


def test_proof_is_waited_for(world: World) -> None:
    world.answers = {"app-1": [None, listing(app_2=DOWN), listing()]}
    world.nodes = [False, None, True]
    prove(TWO)
    assert len(world.asked) == 3
    assert len(world.looked_for) == 3


@pytest.mark.parametrize(
    "answer, text",
    [
        (None, "the proxy does not answer"),
        (listing(app_2=DOWN), "the proxy does not list 198.18.0.12:1080 as up"),
        (
            listing(app_1=DOWN, app_2=DOWN),
            "the proxy does not list 198.18.0.11:1080, 198.18.0.12:1080 as up",
        ),
        (Listing({}), "the proxy does not list 198.18.0.11:1080, 198.18.0.12:1080 as up"),
    ],
    ids=["silent", "one down", "all down", "none known"],
)
def test_what_a_proxy_does_not_list_is_named(
    world: World, answer: Listing | None, text: str
) -> None:
    world.answers = {"app-1": [answer]}
    with pytest.raises(NotProven, match=f"^{text}, 1 s after it should$"):
        prove(TWO)
    assert world.looked_for == []


def test_an_engine_that_does_not_run_need_not_be_listed(world: World) -> None:
    world.answers = {"app-1": [listing(app_2=DOWN)]}
    prove(look_again(TWO, "app-2", containers=()))


@pytest.mark.parametrize("has", [False, None], ids=["no node", "no answer"])
def test_one_that_is_not_registered_is_not_proven(world: World, has: bool | None) -> None:
    world.nodes = [has]
    with pytest.raises(NotProven, match=f"^{NAME} is not registered, 1 s"):
        prove(TWO)


@pytest.mark.parametrize(
    "proxy, asked, looked_for, steady",
    [
        ({"status": None}, [], [(FOLDER, NAME)], []),
        ({"registration": None}, [("app-1", 2081)], [], []),
        ({"status": None, "registration": None}, [], [], ["proxy"]),
    ],
    ids=["no status", "no registration", "neither"],
)
def test_what_is_not_declared_is_not_asked_for(
    world: World,
    caplog: pytest.LogCaptureFixture,
    proxy: dict[str, Any],
    asked: list[tuple[str, int]],
    looked_for: list[tuple[str, str]],
    steady: list[str],
) -> None:
    prove(proxies("app-1", "app-2", **proxy))
    assert (world.asked, world.looked_for, world.steady) == (asked, looked_for, steady)
    assert ("what the proxy knows is not provable" in caplog.text) is bool(steady)


@pytest.mark.parametrize(
    "since, proven",
    [
        (f"{MADE_AT[:-6]}500001Z", True),
        (f"{MADE_AT}Z", True),
        (f"{MADE_AT[:-6]}499999Z", False),
        ("2026-11-23T23:00:00.000000Z", False),
        ("", True),
    ],
    ids=["after", "at that moment", "just before", "the day before", "untold"],
)
def test_a_predecessor_proves_nothing_of_its_successor(
    world: World, since: str, proven: bool
) -> None:
    world.answers = {"app-1": [listing(since)]}
    found = proxies("app-1", "app-2", **HANDOVER)
    if proven:
        prove(found, Instance("proxy-next", {}))
    else:
        with pytest.raises(NotProven, match="the proxy that is to be replaced answers, the new"):
            prove(found, Instance("proxy-next", {}))
    assert [command[-1] for command in world.commands] == ["proxy-next"]


def test_where_none_hands_over_any_answer_is_the_proxys_own(world: World) -> None:
    """Its clock may be behind Docker's."""
    world.answers = {"app-1": [listing("2026-11-23T23:00:00.000000Z")]}
    prove(TWO)
    assert world.commands == []


@pytest.mark.parametrize(
    "handovers, gaps",
    [((True, True), False), ((True, False), True), ((False, False), True)],
    ids=["both hand over", "one does not", "none does"],
)
def test_proxies_that_are_away_meanwhile_go_one_at_a_time(
    handovers: tuple[bool, bool], gaps: bool
) -> None:
    found = fleet(
        *(
            member(f"app-{n}", proxy={**HANDOVER, "handover": so})
            for n, so in enumerate(handovers, 1)
        )
    )
    assert ROLLOUT.one_at_a_time(list(found)) is gaps
