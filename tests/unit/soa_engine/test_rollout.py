"""How an engine is taken away from its callers, step by step, with nobody really asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.container.instance import Instance
from roles.container.rollout import Aside
from roles.observed.channel import RemoteError, Result
from roles.proxy.status import ListedEngine, Listing, TellingProxy
from roles.run.conductor import NotProven
from roles.run.fleet import Fleet
from roles.soa_engine import rollout
from roles.soa_engine.plan import container
from tests.unit.build import fleet, local_state, look_again, member, running, serving

NAME = "198.18.0.11:1080"
FOLDER = "/osp/engines"
INSTANCE = Instance("engine", {})
MADE, MADE_LATER = 7, 8
"""Transactions that have made the engine's node."""
POLL_S = 1
"""What waits for less only asks again."""
MARK: dict[str, Any] = {"registration": f"{FOLDER}/{{address}}:{{port}}", "drain": {"timeout_s": 1}}
SIGNAL = {"by": "signal", "signal": "SIGUSR1", "timeout_s": 1}
UP = Listing({"198.18.0.12:1080": ListedEngine("up", registered=True, in_flight=0)})


TOLD = TellingProxy("app-1", "app-1", "198.18.0.11:2080", "198.18.0.11", 2081, "/status")
STRANGE = replace(TOLD, name="198.18.0.77:2080", endpoint="198.18.0.77:2080", address="198.18.0.77")


class World:
    """A registry and proxies that do as they are asked, and what they were asked."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.proxies = [TOLD]
        self.unlisted: list[TellingProxy] = []
        self.refusing: set[str] = set()
        self.asked: list[list[str]] = []
        self.listing = UP
        self.nodes = {NAME: MADE}
        self.leaves = True
        """Whether the engine takes its node away when it is asked to drain."""
        self.marks = True
        self.marked: set[str] = set()

    def mark(self, name: str, reason: str) -> bool:
        if not self.marks:
            self.steps += [] if f"mark {name}" in self.steps else [f"mark {name}"]
            return False
        self.steps.append(f"mark {name}")
        self.marked.add(name)
        if self.leaves:
            self.nodes.pop(name, None)
        return True

    def has_marked(self, name: str) -> bool:
        return name in self.marked

    def made(self, folder: str, name: str) -> int | None:
        assert folder == FOLDER
        return self.nodes.get(name)

    def unmark(self, name: str) -> None:
        self.steps.append(f"unmark {name}")

    def has(self, folder: str, name: str) -> bool:
        assert folder == FOLDER
        return name in self.nodes

    def remove(self, folder: str, name: str) -> bool:
        self.steps.append(f"remove {folder}/{name}")
        self.nodes.pop(name, None)
        return True

    @contextmanager
    def session(self, host: Host, connection: str) -> Iterator[World]:
        yield self

    def ask_proxies(
        self,
        state: State,
        fleet: Fleet,
        proxies: Sequence[TellingProxy],
        judge: Callable[[Listing], str | None],
    ) -> str | None:
        names = [proxy.name for proxy in proxies]
        self.asked.append(names)
        if refusing := self.refusing & set(names):
            return f"the proxy of {min(refusing)} does not tell its state"
        return judge(self.listing) if proxies else None

    def telling_proxies(self, fleet: Fleet) -> list[TellingProxy]:
        return self.proxies

    def unlisted_proxies(self, fleet: Fleet, registry: World) -> list[TellingProxy]:
        assert registry is self
        return self.unlisted

    def run(self, state: State, host: Host, command: list[str], **_: Any) -> Result:
        if command[1] != "inspect":
            self.steps.append(" ".join(command[1:]))
        return Result(0, b"id since true", b"")

    @contextmanager
    def held(self, state: State, host: Host, command: list[str], **_: Any) -> Iterator[None]:
        step = command[-1].splitlines()[-1]
        self.steps.append("held ready")
        try:
            yield
        except BaseException:
            self.steps.append(step)
            raise

    def sleep(self, seconds: float) -> None:
        self.steps += [f"wait {seconds} s"] if seconds >= POLL_S else []

    def set_aside(
        self,
        found: Fleet,
        instance: Instance = INSTANCE,
        away: str = "app-1",
        leaves: Aside = rollout.aside,
    ) -> None:
        state = local_state(*(m.name for m in found))
        with leaves(state, found, found["app-1"], instance, frozenset(away.split())):
            self.steps.append("stop")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> World:
    found = World()
    caplog.set_level(logging.INFO, logger="pyinfra")
    for name in ("session", "held", "ask_proxies", "telling_proxies", "unlisted_proxies"):
        monkeypatch.setattr(rollout, name, getattr(found, name))
    monkeypatch.setattr("roles.soa_engine.rollout.channel.run", found.run)
    monkeypatch.setattr(rollout, "READY_S", 0.3)
    return found


def engines(*names: str, **engine: Any) -> Fleet:
    said = {**MARK, **engine}
    return serving(fleet(*(member(n, soa_engine=said) for n in names), "registry-1"))


BY_MARK = [f"mark {NAME}", "stop", f"unmark {NAME}"]
REMOVED = f"remove {FOLDER}/{NAME}"
WHILE_IT_IS = "while_it_is 'id since true'"
BY_SIGNAL = [BY_MARK[0], "kill --signal SIGUSR1 engine", *BY_MARK[1:]]


@pytest.mark.parametrize(
    "engine, tells, steps",
    [
        ({}, True, BY_MARK),
        ({"drain": SIGNAL}, True, BY_SIGNAL),
        ({"drain": None}, True, [*BY_MARK[:2], REMOVED, BY_MARK[2]]),
        ({"drain": None, "registration": None}, True, BY_MARK),
        ({}, False, [BY_MARK[0], "wait 7 s", *BY_MARK[1:]]),
        (
            {"drain": None},
            False,
            [BY_MARK[0], "held ready", REMOVED, "wait 7 s", *BY_MARK[1:]],
        ),
    ],
    ids=["mark", "signal", "no drain", "nothing", "no proxy tells", "no drain, no proxy tells"],
)
def test_an_engine_is_called_no_more_before_it_stops(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    engine: dict[str, Any],
    tells: bool,
    steps: list[str],
) -> None:
    world.proxies = [TOLD] if tells else []
    world.leaves = "drain" not in engine or engine["drain"] is not None
    monkeypatch.setattr("roles.soa_engine.rollout.gevent.sleep", world.sleep)
    world.set_aside(engines("app-1", "app-2", drain_wait_s=7, **engine))
    assert world.steps == steps


def test_the_only_engine_goes_all_the_same_and_that_is_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.set_aside(engines("app-1"))
    assert world.steps == ["stop"]
    assert f"{NAME} is the only engine: callers will notice" in caplog.text


@pytest.mark.parametrize(
    "found, instance, leaves",
    [
        (engines("app-1", second_port=1081), INSTANCE, rollout.relieved),
        (engines("app-1"), Instance("engine-next", {}), rollout.aside),
    ],
    ids=["beside its successor", "a leftover"],
)
def test_the_only_host_may_have_two_engines(
    world: World, found: Fleet, instance: Instance, leaves: Aside
) -> None:
    world.set_aside(found, instance, leaves=leaves)
    assert world.steps == BY_MARK


@pytest.mark.parametrize("away", ["app-1", "app-1 app-2"])
def test_none_is_marked_while_there_is_no_other(world: World, away: str) -> None:
    if away == "app-1":
        world.listing = Listing({NAME: UP.engines["198.18.0.12:1080"]})
    with pytest.raises(NotProven, match="has no other engine up than 198"):
        world.set_aside(engines("app-1", "app-2"), away=away)
    assert world.steps == []


LISTED = Listing({NAME: ListedEngine("draining", registered=False, in_flight=1), **UP.engines})


@pytest.mark.parametrize(
    "engine, leaves, listing, marks, text, back",
    [
        ({}, False, UP, True, "is still registered", []),
        ({}, True, LISTED, True, "draining, 1 requests in flight", []),
        ({}, True, UP, False, "could not be marked as drained", []),
        ({"drain": SIGNAL}, False, UP, True, "is still registered", []),
        (
            {"drain": {**SIGNAL, "undrain_signal": "SIGUSR2"}},
            False,
            UP,
            True,
            "is still registered",
            [f"{WHILE_IT_IS} kill --signal SIGUSR2 id"],
        ),
    ],
    ids=["its node stays", "in flight", "no mark", "by signal", "by signal, and back"],
)
def test_one_that_is_not_let_go_is_asked_back_and_not_stopped(
    world: World,
    engine: dict[str, Any],
    leaves: bool,
    listing: Listing,
    marks: bool,
    text: str,
    back: list[str],
) -> None:
    world.leaves, world.listing, world.marks = leaves, listing, marks
    with pytest.raises(NotProven, match=text):
        world.set_aside(engines("app-1", "app-2", **engine))
    assert "stop" not in world.steps
    asked = ["held ready"] if back else []
    asked += ["kill --signal SIGUSR1 engine"] if "drain" in engine else []
    assert world.steps == [f"mark {NAME}", *asked, *back, f"unmark {NAME}"]


def test_one_whose_node_was_removed_registers_again_by_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.proxies, world.leaves = [], False
    monkeypatch.setattr("roles.soa_engine.rollout.gevent.sleep", world.sleep)

    found = engines("app-1", "app-2", drain=None)
    aside = rollout.aside(
        local_state("app-1", "app-2", "registry-1"), found, found["app-1"], INSTANCE, frozenset()
    )
    with pytest.raises(NotProven, match="Docker hangs"), aside:
        raise NotProven("Docker hangs")
    assert world.steps[-2:] == [f"{WHILE_IT_IS} restart --time 30 id", f"unmark {NAME}"]
    assert world.steps.index("held ready") == world.steps.index(REMOVED) - 1


def test_one_whose_host_holds_nothing_ready_is_not_drained(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def refused(*_: Any, **__: Any) -> Iterator[None]:
        raise RemoteError("the host holds nothing ready")
        yield

    monkeypatch.setattr(rollout, "held", refused)
    with pytest.raises(RemoteError):
        world.set_aside(engines("app-1", "app-2", drain={**SIGNAL, "undrain_signal": "SIGUSR2"}))
    assert world.steps == [f"mark {NAME}", f"unmark {NAME}"]


def test_proxies_that_the_registry_alone_knows_are_asked_too(world: World) -> None:
    world.unlisted = [STRANGE]
    world.set_aside(engines("app-1", "app-2"))
    assert world.steps == BY_MARK
    assert world.asked == [["app-1", STRANGE.name]] * 2


@pytest.mark.parametrize("proxies", [[TOLD], []], ids=["beside ours", "alone"])
def test_none_is_marked_while_such_a_one_may_have_no_other(
    world: World, proxies: list[TellingProxy]
) -> None:
    world.proxies, world.unlisted, world.refusing = proxies, [STRANGE], {STRANGE.name}
    with pytest.raises(NotProven, match=f"the proxy of {STRANGE.name} does not tell its state"):
        world.set_aside(engines("app-1", "app-2"))
    assert world.steps == []


def test_none_is_stopped_while_such_a_one_may_call_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It turns silent once the engine is marked."""
    world.unlisted = [STRANGE]

    def mark(name: str, reason: str) -> bool:
        world.refusing = {STRANGE.name}
        return World.mark(world, name, reason)

    monkeypatch.setattr(world, "mark", mark)
    with pytest.raises(NotProven, match=f"the proxy of {STRANGE.name} does not tell its state"):
        world.set_aside(engines("app-1", "app-2"))
    assert world.steps == [f"mark {NAME}", f"unmark {NAME}"]


def test_that_one_tells_is_proof_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and no node is removed, where it is told that the engine was let go."""
    world.proxies, world.unlisted = [], [STRANGE]
    monkeypatch.setattr("roles.soa_engine.rollout.gevent.sleep", world.sleep)
    world.set_aside(engines("app-1", "app-2", drain_wait_s=7))
    assert world.steps == BY_MARK


def test_a_mark_that_is_lost_while_proxies_are_asked_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they told before it stands again is no proof."""

    def ask(*asked: Any) -> str | None:
        if len(world.asked) == 1:
            world.marked.clear()
        return world.ask_proxies(*asked)

    monkeypatch.setattr(rollout, "ask_proxies", ask)
    world.set_aside(engines("app-1", "app-2"))
    assert world.steps == [BY_MARK[0], *BY_MARK]
    assert world.asked == [["app-1"]] * 3


@pytest.mark.parametrize(
    "marks, steps",
    [(True, [BY_MARK[0], "stop"]), (False, [])],
    ids=["made again", "not to be had again"],
)
def test_a_mark_that_is_lost_between_two_looks_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, marks: bool, steps: list[str]
) -> None:
    def lose(state: State, host: Host, command: list[str], **_: Any) -> Result:
        told = world.run(state, host, command)
        world.marked.clear()
        world.marks = marks
        return told

    monkeypatch.setattr("roles.soa_engine.rollout.channel.run", lose)
    found = engines("app-1", "app-2", drain=SIGNAL)
    if marks:
        world.set_aside(found)
    else:
        with pytest.raises(NotProven, match=f"the mark that drains {NAME} is not ours"):
            world.set_aside(found)
    assert world.steps == [*BY_SIGNAL[:2], *steps, BY_SIGNAL[-1]]


def test_a_node_that_the_next_engine_has_made_stays(world: World) -> None:
    world.leaves = False
    found = engines("app-1", "app-2", drain=None)
    state = local_state(*(m.name for m in found))
    with rollout.aside(state, found, found["app-1"], INSTANCE, frozenset()):
        world.nodes[NAME] = MADE_LATER
    assert world.nodes == {NAME: MADE_LATER}
    assert REMOVED not in world.steps


def test_one_that_could_not_be_replaced_is_asked_back(world: World) -> None:
    found = engines("app-1", "app-2", drain={**SIGNAL, "undrain_signal": "SIGUSR2"})
    state = local_state(*(m.name for m in found))
    aside = rollout.aside(state, found, found["app-1"], INSTANCE, frozenset())
    with pytest.raises(NotProven, match="Docker hangs"), aside:
        raise NotProven("Docker hangs")
    back = f"{WHILE_IT_IS} kill --signal SIGUSR2 id"
    assert world.steps == [BY_SIGNAL[0], "held ready", BY_SIGNAL[1], back, BY_SIGNAL[-1]]


def test_the_only_engine_of_those_that_were_read_may_not_be_the_only_one(world: World) -> None:
    world.set_aside(replace(engines("app-1"), unreachable={"app-2": "no connection"}))
    assert world.steps == BY_MARK


@pytest.mark.parametrize(
    "is_running, told", [(True, ["1081"]), (False, [])], ids=["runs", "is stopped"]
)
def test_what_runs_must_be_ready_and_not_what_is_wanted(
    monkeypatch: pytest.MonkeyPatch, is_running: bool, told: list[str]
) -> None:
    """The engine that stays may be on its second port."""
    found = engines("app-1", second_port=1081)
    spec = container(found, found["app-1"])
    made = running(replace(spec, environment={"EXPORT_PORT": "1081"}), is_running)
    found = look_again(found, "app-1", containers=(made,))
    asked: list[str] = []
    monkeypatch.setattr(
        rollout,
        "_prove",
        lambda state, fleet, member, instance, _: asked.append(instance.environment["EXPORT_PORT"]),
    )
    rollout.ready(local_state("app-1", "registry-1"), found, found["app-1"])
    assert asked == told
