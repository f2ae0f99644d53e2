"""What a host holds ready, on this machine: when it is run, and when it is not."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path as File
from typing import Any

import gevent
import pytest
from gevent.subprocess import PIPE, Popen
from pyinfra.api import State

from roles.observed import channel, holding
from roles.observed.channel import LeaseLost, RemoteError, Result
from roles.observed.held import held
from roles.observed.holding import Holding
from tests.unit.build import local_state
from tests.unit.observed.test_holding import ANOTHERS, OURS, take

Hold = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def mark(tmp_path: File) -> File:
    """What the command that is held ready makes."""
    return tmp_path / "it's run"


@pytest.fixture
def state() -> State:
    return local_state("app-1")


@pytest.fixture
def hold(state: State, mark: File) -> Hold:
    host = state.inventory.get_host("app-1")

    def ready(*command: str, limit_s: float = 20) -> AbstractContextManager[None]:
        words = list(command) or ["touch", str(mark)]
        return held(state, host, words, limit_s=limit_s, takes_s=5)

    return ready


def test_what_ends_well_runs_nothing(hold: Hold, mark: File) -> None:
    with hold():
        gevent.sleep(0.3)
    assert not mark.exists()


def test_what_ends_by_an_error_has_it_run_before_it_goes_on(hold: Hold, mark: File) -> None:
    with pytest.raises(KeyError, match="why"), hold():
        assert not mark.exists()
        raise KeyError("why")
    assert mark.exists()


def test_it_runs_after_its_limit(hold: Hold, mark: File) -> None:
    with hold(limit_s=0.2), gevent.Timeout(10):
        while not mark.exists():
            gevent.sleep(0.05)


def test_a_command_that_fails_hides_no_error(hold: Hold, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")
    with pytest.raises(KeyError, match="why"), hold("sh", "-c", "echo gone >&2; exit 3"):
        raise KeyError("why")
    assert "what the host holds ready exited with 3\ngone" in caplog.text


def test_a_host_that_does_not_get_ready_is_an_error(
    hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roles.observed.held._HOLD", "exit 4")
    with pytest.raises(RemoteError, match="exited with 4"), hold():
        pytest.fail("went on")


CONTROLLER = """
import gevent
from roles.observed.held import held
from tests.unit.build import local_state
state = local_state("app-1")
host = state.inventory.get_host("app-1")
with held(state, host, ["touch", {mark!r}], limit_s=60, takes_s=5):
    print("holds", flush=True)
    gevent.sleep(60)
"""


def test_a_controller_that_is_killed_has_it_run(mark: File) -> None:
    program = CONTROLLER.format(mark=str(mark))
    controller = Popen([sys.executable, "-c", program], stdout=PIPE)
    assert controller.stdout.readline() == b"holds\n"
    os.kill(controller.pid, signal.SIGKILL)
    controller.wait()
    with gevent.Timeout(10):
        while not mark.exists():
            gevent.sleep(0.05)


@pytest.fixture
def lease(state: State, tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> Holding:
    """This run's lease on the host, whose record is below a folder."""
    home = tmp_path / "lease"
    monkeypatch.setattr(holding, "SCRIPT", str(home / "lease.sh"))
    monkeypatch.setattr("roles.observed.held.LOOK_S", 0.1)
    take(home, OURS, generation=0)
    lease = Holding(OURS)
    holding.hold(state.inventory.get_host("app-1"), lease)
    return lease


def test_while_the_run_has_its_lease_nothing_is_run(hold: Hold, mark: File, lease: Holding) -> None:
    with hold():
        gevent.sleep(1)
        assert not mark.exists()
    assert not mark.exists()


def test_where_the_lease_runs_out_it_is_run_and_holds_nobody_up(
    hold: Hold, mark: File, lease: Holding, tmp_path: File
) -> None:
    """No end of the connection tells that a controller lost its power, or its network."""
    record = tmp_path / "lease" / "record"
    with hold("sh", "-c", 'sleep 0.5; touch "$1"', "x", str(mark), limit_s=60):
        lines = record.read_text().splitlines()
        record.write_text("\n".join([lines[0], "1", *lines[2:], ""]))
        with gevent.Timeout(10):
            while not mark.exists():
                gevent.sleep(0.05)
        gevent.sleep(0.5)
        take(tmp_path / "lease", ANOTHERS, generation=1)


@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize("error", [LeaseLost("another's"), None], ids=["failed", "done"])
def test_a_connection_that_says_nothing_any_more_ends(
    hold: Hold,
    lease: Holding,
    state: State,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception | None,
    is_lost: bool,
) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")

    def silent(*_: Any, on_stdout: Callable[[bytes], None], **more: Any) -> Result:
        on_stdout(b"held\n")
        gevent.sleep(3600)
        raise AssertionError("it was waited for")

    monkeypatch.setattr(channel, "run", silent)
    monkeypatch.setattr("roles.observed.held.LOST_S", 0.2)
    monkeypatch.setattr("roles.observed.held.READY_S", 3600 if is_lost else 0.2)
    if is_lost:
        lease.lose(state.inventory.get_host("app-1"), "lease: bob@desk took it")
    with gevent.Timeout(20), pytest.raises(LeaseLost) if error else nullcontext(), hold():
        if error:
            raise error
    assert "what became of what it holds ready is not known" in caplog.text
