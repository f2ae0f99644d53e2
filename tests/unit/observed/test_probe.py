"""What is remembered of a host, and until when. The host is this machine."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

import gevent
import pytest
from pyinfra.api import Host, State, StringCommand, operation
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.context import ctx_state

from roles.observed import Look, Observed, forget, is_fresh, observe
from roles.observed.channel import RemoteError
from roles.observed.parse import ProbeError
from roles.run.current import current_fleet, observe_all, remember
from tests.unit.build import bare, fleet, local_state, member


@pytest.fixture
def state() -> State:
    return local_state("app-1")


def test_a_host_is_read_once_until_something_on_it_changed(state: State) -> None:
    host = state.inventory.get_host("app-1")
    assert not is_fresh(state, host)
    first = observe(state, host)
    assert is_fresh(state, host)
    assert observe(state, host) is first
    forget(host)
    assert not is_fresh(state, host)
    assert observe(state, host) is not first


def test_the_clock_of_the_same_machine_has_no_skew(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = state.inventory.get_host("app-1")
    assert observe(state, host).clock_skew_s == 0
    now = time.time
    monkeypatch.setattr("roles.observed.probe.time.time", lambda: now() - 3600)
    forget(host)
    assert observe(state, host).clock_skew_s == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("command, fresh", [("true", False), (None, True)], ids=["ran", "empty"])
def test_an_operation_that_ran_a_command_has_changed_its_host(
    state: State, command: str | None, fresh: bool
) -> None:
    @operation()
    def work() -> Generator[StringCommand, None, None]:
        if command:
            yield StringCommand(command)

    host = state.inventory.get_host("app-1")
    with ctx_state.use(state):
        add_op(state, work)
        first = observe(state, host)
        assert is_fresh(state, host)
        run_ops(state)
    assert is_fresh(state, host) is fresh
    assert (observe(state, host) is first) is fresh


def test_what_is_looked_at_is_asked_again_with_every_look(state: State) -> None:
    host = state.inventory.get_host("app-1")
    assert set(observe(state, host, Look(paths=("/etc",))).paths) == {"/etc"}
    forget(host)
    assert set(observe(state, host).paths) == {"/etc"}


def test_the_arguments_of_a_look() -> None:
    look = Look(paths=("/a", "/b"), files=("/c",), sums=("/d",), names=("zk-1",))
    words = ["path", "/a", "path", "/b", "file", "/c", "sum", "/d", "name", "zk-1"]
    assert look.arguments == words
    assert replace(look, is_acted_on=True).arguments == [*words, "command", "docker"]


def test_a_host_that_cannot_be_read_has_its_error_for_a_value(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = state.inventory.get_host("app-1")
    monkeypatch.setattr("roles.observed.probe.SCRIPT", b"exit 3")
    assert isinstance(observe_all(state, {host: None})[host], RemoteError)
    monkeypatch.setattr("roles.observed.probe.SCRIPT", b"echo hello")
    assert isinstance(observe_all(state, {host: None})[host], ProbeError)


def test_the_fleet_of_a_run_follows_what_changes(state: State) -> None:
    host = state.inventory.get_host("app-1")
    found = fleet(member("app-1", observed=observe(state, host)))
    remember(state, found)
    assert current_fleet(state) is found
    forget(host)
    again = current_fleet(state)
    assert again is not found
    assert again["app-1"].wanted is found["app-1"].wanted
    assert again["app-1"].observed is observe(state, host)
    assert current_fleet(state) is again


def test_a_host_that_cannot_be_read_any_more_ends_the_run(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = state.inventory.get_host("app-1")
    remember(state, fleet(member("app-1", observed=observe(state, host))))
    forget(host)
    monkeypatch.setattr("roles.observed.probe.SCRIPT", b"exit 3")
    with pytest.raises(RemoteError, match="exited with 3"):
        current_fleet(state)


def test_there_is_no_fleet_without_a_survey(state: State) -> None:
    with pytest.raises(RuntimeError, match=r"call survey\(\)"):
        current_fleet(state)


def test_many_who_ask_at_once_have_a_changed_host_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"app-{number}" for number in range(1, 13)]
    state = local_state(*names)
    remember(state, fleet(*(member(name, observed=bare()) for name in names)))
    read: list[str] = []

    def reading(state: State, host: Host, look: Look | None = None) -> Observed:
        read.append(host.name)
        return observe(state, host, look)

    monkeypatch.setattr("roles.run.current.observe", reading)
    asking = [gevent.spawn(current_fleet, state) for _ in names]
    gevent.joinall(asking, raise_error=True)
    assert sorted(read) == sorted(names)
