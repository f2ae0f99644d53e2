"""What differs between hosts: the registry, the proxies and the ensemble are the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from roles.container.spec import PART_LABEL
from roles.drift import across
from roles.observed import Drained
from roles.proxy.status import ListedEngine, Listing
from roles.run.fleet import Fleet
from tests.unit.build import address_of, change, fleet, look_again, member, serving, state_of

FOLDER = "/osp/services/sayhello/engines"
ENGINES = {name: f"{address_of(name)}:1080" for name in ("app-1", "app-2")}


@dataclass
class System:
    """What the registry, the servers and the proxies say when they are asked."""

    names: set[str]
    modes: dict[str, str | None]
    lists: dict[str, Mapping[str, str] | None]
    is_there: bool = True
    asked: int = 0
    clock: float = 100.0
    """In seconds; a look takes none, unless it says so."""
    look_s: float = 0.0
    meanwhile: Callable[[], None] | None = None
    """What happens between two looks."""

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        if self.meanwhile:
            self.meanwhile()


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    up = dict.fromkeys(ENGINES.values(), "up")
    system = System(set(ENGINES.values()), {"registry-1": "leader"}, {n: up for n in ENGINES})

    class Asked:
        def names(self, folder: str) -> frozenset[str]:
            assert folder == FOLDER
            system.asked += 1
            return frozenset(system.names)

    @contextmanager
    def session(*_: Any) -> Iterator[Asked]:
        system.clock += system.look_s
        if not system.is_there:
            raise ConnectionError("no answer")
        yield Asked()

    def listed(state: Any, telling: Any) -> Listing | None:
        said = system.lists[telling.name]
        engines = {name: ListedEngine(state, True, 0) for name, state in (said or {}).items()}
        return None if said is None else Listing(engines)

    monkeypatch.setattr(across, "session", session)
    monkeypatch.setattr(across, "modes", lambda state, servers: system.modes)
    monkeypatch.setattr(across, "listed_engines", listed)
    monkeypatch.setattr(across, "time", SimpleNamespace(monotonic=lambda: system.clock))
    monkeypatch.setattr(across, "gevent", SimpleNamespace(sleep=system.sleep))
    return system


def whole() -> Fleet:
    wish = {"soa_engine": {"registration": f"{FOLDER}/{{address}}:{{port}}"}}
    return serving(fleet(*(member(name, **wish) for name in (*ENGINES, "registry-1"))))


def told(found: Fleet, unread: tuple[str, ...] = ()) -> list[tuple[str | None, str, str, str]]:
    every = across.differences(state_of(found), found, unread)
    return [(one.host, one.role, one.path, one.kind) for one in every]


def test_a_system_that_is_as_it_should_be(system: System) -> None:
    assert told(whole()) == []
    assert system.asked == 1


def test_an_engine_that_runs_and_is_not_registered(system: System) -> None:
    system.names = {ENGINES["app-1"]}
    path = f"{FOLDER}/{ENGINES['app-2']}"
    assert told(whole()) == [("app-2", "soa_engine", path, "missing")]
    assert system.asked > 1


def test_nodes_of_nobody_and_of_what_runs_no_more(system: System) -> None:
    stale = f"{address_of('app-1')}:1999"
    system.names = {*ENGINES.values(), "198.18.9.9:1080", stale, "what is this"}
    assert told(whole()) == [
        ("app-1", "soa_engine", f"{FOLDER}/{stale}", "stale"),
        (None, "soa_engine", f"{FOLDER}/198.18.9.9:1080", "foreign"),
        (None, "soa_engine", f"{FOLDER}/what is this", "foreign"),
    ]


def test_the_node_of_an_engine_that_was_renamed_is_not_stale(system: System) -> None:
    system.lists["app-1"] = system.lists["app-2"] = {ENGINES["app-2"]: "up"}
    found = whole()
    renamed = [
        replace(c, name="mine") if c.labels.get(PART_LABEL) == "soa_engine" else c
        for c in found["app-1"].observed.containers
    ]
    assert told(look_again(found, "app-1", containers=tuple(renamed))) == []
    gone = [c for c in renamed if c.name != "mine"]
    path = f"{FOLDER}/{ENGINES['app-1']}"
    assert told(look_again(found, "app-1", containers=tuple(gone))) == [
        ("app-1", "soa_engine", path, "stale")
    ]


def test_where_a_host_was_not_read_a_strange_node_may_be_its(system: System) -> None:
    system.names = {*ENGINES.values(), "198.18.9.9:1080"}
    assert told(whole(), unread=("app-3",)) == []


def test_what_is_drained_need_not_be_registered(system: System) -> None:
    system.names = {ENGINES["app-1"]}
    system.lists["app-1"] = {ENGINES["app-1"]: "up"}
    system.lists["app-2"] = {}
    away = Drained("ann@laptop", 1, 9_999_999_999, "new disk")
    assert told(change(whole(), "app-2", absent=away)) == []


def test_what_ends_before_it_is_believed_is_not_told(system: System) -> None:
    system.names = {ENGINES["app-1"]}
    system.meanwhile = lambda: system.names.update(ENGINES.values())
    assert told(whole()) == []


def test_one_silent_look_hides_nothing_that_stands(system: System) -> None:
    system.names, system.is_there = {ENGINES["app-1"]}, False

    def answer() -> None:
        system.is_there = True

    system.meanwhile = answer
    path = f"{FOLDER}/{ENGINES['app-2']}"
    assert told(whole()) == [("app-2", "soa_engine", path, "missing")]


def test_what_comes_and_goes_is_not_waited_for_without_end(system: System) -> None:
    system.lists["app-2"] = None

    def turn() -> None:
        system.is_there = not system.is_there

    system.meanwhile = turn
    began = system.clock
    assert told(whole()) == [("app-2", "proxy", "/status", "missing")]
    assert system.clock - began < 2 * across.BELIEVED_S + 2 * across.PAUSE_S


@pytest.mark.parametrize("look_s", [0.0, 12.0, 40.0])
def test_a_registry_that_is_away_is_told_however_long_a_look_takes(
    system: System, look_s: float
) -> None:
    system.is_there, system.look_s = False, look_s
    place = f"{address_of('registry-1')}:2181"
    assert told(whole()) == [(None, "registry", place, "missing")]


@pytest.mark.parametrize("listed, found", [("down", "down"), (None, "not listed")])
def test_a_proxy_that_does_not_list_an_engine(
    system: System, listed: str | None, found: str
) -> None:
    names = {ENGINES["app-1"]: "up"} | ({ENGINES["app-2"]: listed} if listed else {})
    system.lists["app-1"] = names
    [one] = across.differences(state_of(whole()), whole(), ())
    assert (one.host, one.role, one.path, one.found) == (
        "app-1",
        "proxy",
        f"engine {ENGINES['app-2']}",
        found,
    )


def test_a_proxy_that_does_not_answer(system: System) -> None:
    system.lists["app-2"] = None
    assert told(whole()) == [("app-2", "proxy", "/status", "missing")]


def test_servers_that_serve_nobody_and_two_that_lead(system: System) -> None:
    system.modes = {"registry-1": None}
    assert told(whole()) == [("registry-1", "registry", "ensemble", "missing")]
    system.modes = {"registry-1": "leader", "registry-2": "leader"}
    assert told(whole()) == [(None, "registry", "ensemble", "differs")]


def test_before_the_first_deploy_nobody_is_asked(system: System) -> None:
    bare = look_again(whole(), "registry-1", containers=())
    assert told(bare) == []
    assert system.asked == 0
