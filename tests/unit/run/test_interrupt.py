from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from pyinfra.api import State
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state

from roles.run import interrupt
from roles.run.conductor import exit_if_interrupted
from tests.unit.build import local_state


class Ended(Exception):
    """What stands for the end of the process."""


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(interrupt, "_requested", False)
    before = signal.getsignal(signal.SIGINT)
    interrupt.install()
    state = local_state("app-1")
    with ctx_state.use(state):
        yield state
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("stage", [StateStage.Connect, StateStage.Prepare])
def test_before_anything_is_done_it_ends_the_run(
    state: State, stage: StateStage, capsys: pytest.CaptureFixture[str]
) -> None:
    state.set_stage(stage)
    with pytest.raises(Ended, match="130"):
        press_ctrl_c()
    assert "nothing was changed" in capsys.readouterr().err


def test_a_question_before_any_connection_has_its_terminal_back(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    state.set_stage(StateStage.Setup)
    with pytest.raises(SystemExit) as exited:
        press_ctrl_c()
    assert exited.value.code == 130
    assert "nothing was changed" in capsys.readouterr().err


def test_once_finishes_the_step_in_hand(
    state: State, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    state.set_stage(StateStage.Execute)
    exit_if_interrupted()
    press_ctrl_c()
    assert interrupt.requested()
    assert "finishing the step in hand" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exited:
        exit_if_interrupted()
    assert exited.value.code == 130
    assert "what was begun is finished, and nothing more was begun" in caplog.text


def test_twice_ends_it_now(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    state.set_stage(StateStage.Execute)
    press_ctrl_c()
    with pytest.raises(Ended, match="130"):
        press_ctrl_c()
    assert "in the middle of a step" in capsys.readouterr().err
