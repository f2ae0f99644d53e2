from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyinfra.api import FunctionCommand
from pyinfra.context import ctx_host, ctx_state

from roles.access import login
from roles.host_setup import operations, proof
from roles.host_setup.commands import Step, script
from roles.host_setup.operations import is_login_new, keep_or_put_back, run_step
from roles.observed import Setup
from roles.run import options
from roles.run.options import Options
from tests.unit.build import fleet, local_state, state_of
from tests.unit.host_setup.build import ANN, BOB, GOOD_SUDO, SAID_NO, host, ops, user


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


@pytest.mark.parametrize(
    "file, differs, entered, expected",
    [
        ("bootstrap.py", True, False, True),
        ("bootstrap.py", False, True, True),
        ("bootstrap.py", False, False, False),
        ("soa.py", True, False, False),
    ],
)
def test_the_login_of_a_new_host_is_tried_until_it_works(
    monkeypatch: pytest.MonkeyPatch, file: str, differs: bool, entered: bool, expected: bool
) -> None:
    monkeypatch.setattr(options, "_options", Options(deploys=(f"deploy/{file}",)))
    monkeypatch.setattr(login, "entered_once", lambda host: entered)
    accounts = {} if differs else {"ops": ops()}
    said = user(sudo=False)
    found = host(said, Setup(accounts=accounts, sudoers=GOOD_SUDO, sshd=SAID_NO))
    state = local_state("app-1")
    assert is_login_new(state.inventory.get_host("app-1"), found) is expected


def put(monkeypatch: pytest.MonkeyPatch, why: str | None, *failing: str) -> tuple[bool, list[str]]:
    """Whether the run goes on, and what was done with the keys that were there before."""
    done: list[str] = []

    def run_step(state: object, host: object, step: Step) -> bool:
        done.append(step.words[-1])
        return step.words[-1] not in failing

    monkeypatch.setattr(login, "prove", lambda state, host: why)
    monkeypatch.setattr(operations, "run_step", run_step)
    state = local_state("app-1")
    return keep_or_put_back(state, state.inventory.get_host("app-1"), "ops"), done


def test_other_keys_stay_away_where_the_login_works_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert put(monkeypatch, None) == (True, ["proven"])


def test_other_keys_are_put_back_where_the_login_was_by_one_of_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert put(monkeypatch, "Authentication failed") == (False, ["back"])
    assert "app-1: host_setup.user.exclusive: the ordinary login does not work" in caplog.text
    assert "so the keys that were there before are back" in caplog.text
    assert caplog.text.rstrip().endswith("Authentication failed")


def test_keys_that_could_not_be_put_back_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert put(monkeypatch, "Authentication failed", "back") == (False, ["back"])
    assert "move ~/.ssh/authorized_keys.dockyard-old of ops over authorized_keys" in caplog.text


def test_the_login_is_proven_before_other_keys_go_and_after() -> None:
    setup = Setup(accounts={"ops": ops(keys=(ANN, BOB), is_locked=False)}, sshd=SAID_NO)
    state = state_of(fleet(host(user(exclusive=True, sudo=False), setup)))

    def called() -> Iterator[str]:
        for command in operations.locks._inner(is_new=False):
            assert isinstance(command, FunctionCommand)
            step = command.args[0]
            yield f"{command.function.__name__} {getattr(step, 'words', [step])[-1]}"

    with ctx_state.use(state), ctx_host.use(state.inventory.get_host("app-1")):
        first, *rest = called()
    assert first == f"{proof.prove.__name__} True"
    assert rest[:2] == ["run_step only", "keep_or_put_back ops"]
    assert rest[-1] == "run_step ops"
