"""What a host holds ready, on this machine: when it is run, and when it is not."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path as File

import gevent
import pytest
from gevent.subprocess import PIPE, Popen

from roles.observed.channel import RemoteError
from roles.observed.held import held
from tests.unit.build import local_state

Hold = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def mark(tmp_path: File) -> File:
    """What the command that is held ready makes."""
    return tmp_path / "it's run"


@pytest.fixture
def hold(mark: File) -> Hold:
    state = local_state("app-1")
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
    with hold(limit_s=0.2):
        gevent.sleep(1)
        assert mark.exists()


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
