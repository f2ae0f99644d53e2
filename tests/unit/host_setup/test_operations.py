from __future__ import annotations

import pytest

from roles.host_setup.commands import Step, script
from roles.host_setup.operations import run_step
from tests.unit.build import local_state


def done(step: Step) -> bool:
    state = local_state("app-1")
    return run_step(state, state.inventory.get_host("app-1"), step)


def test_a_step_that_succeeds_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert done(Step("looking", ("sh", "-c", '[ "$(cat)" = sent ]'), b"sent"))
    assert caplog.text == ""


def test_a_step_that_fails_says_where_what_and_why(caplog: pytest.LogCaptureFixture) -> None:
    assert not done(script("zone", "No/Where"))
    assert "app-1: host_setup: zone exited with 1" in caplog.text
    assert "there is no /usr/share/zoneinfo/No/Where" in caplog.text
