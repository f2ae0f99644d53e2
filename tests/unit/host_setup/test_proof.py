from __future__ import annotations

from typing import Any

import pytest

from roles.access import login
from roles.host_setup import proof
from roles.run import options
from roles.run.options import Options
from tests.unit.build import local_state


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts whose ordinary login was tried."""
    found: list[str] = []
    monkeypatch.setattr(login, "prove", lambda state, host: found.append(host.name))
    return found


def prove(locks: bool, **data: Any) -> bool:
    state = local_state("app-1", everywhere=data)
    return proof.prove(state, state.inventory.get_host("app-1"), locks)


def test_a_login_that_works(tried: list[str]) -> None:
    assert prove(locks=True)
    assert tried == ["app-1"]


def test_a_login_that_does_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(login, "prove", lambda state, host: "Authentication failed")
    assert not prove(locks=True)
    assert "app-1: host_setup.user: the ordinary login does not work yet" in caplog.text
    assert caplog.text.rstrip().endswith("Authentication failed")


def test_a_login_by_password_is_not_locked_out(
    tried: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not prove(locks=True, ssh_password="canary")
    assert "lock_passwords: the inventory logs in with ssh_password" in caplog.text
    assert "canary" not in caplog.text
    assert tried == []
    assert prove(locks=False, ssh_password="canary")


@pytest.mark.parametrize("file, expected", [("bootstrap.py", True), ("soa.py", False)])
def test_which_run_may_log_in_otherwise(
    monkeypatch: pytest.MonkeyPatch, file: str, expected: bool
) -> None:
    monkeypatch.setattr(options, "_options", Options(deploys=(f"deploy/{file}",)))
    assert proof.is_bootstrap() is expected
