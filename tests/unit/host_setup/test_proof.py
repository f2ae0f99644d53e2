from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.ssh import SSHConnector

from roles.access import login
from roles.host_setup import proof
from roles.observed import Setup
from roles.run.fleet import Member
from tests.unit.build import fleet, local_state
from tests.unit.host_setup.build import ANN, BOB, GOOD_SUDO, SAID_YES, ops, user
from tests.unit.host_setup.build import host as host_of


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


def unprovable(found: Member, connector: type[BaseConnector] = LocalConnector) -> list[str]:
    state = local_state("app-1")
    host = state.inventory.get_host("app-1")
    host.connector = connector(state, host)
    problems = proof.unprovable(state, fleet(found))
    return [str(problem).removeprefix("app-1: host_setup.user.") for problem in problems]


OPEN = Setup(accounts={"ops": ops(keys=(ANN, BOB))}, sudoers=GOOD_SUDO, sshd=SAID_YES)


def test_nothing_is_taken_away_where_no_login_can_be_tried() -> None:
    found = host_of(user(exclusive=True), OPEN)
    told = unprovable(found)
    assert [problem.partition(": ")[0] for problem in told] == ["exclusive", "lock_passwords"]
    assert told[0].startswith(
        "exclusive: this host is not reached by SSH, so no login by key can be seen to work before "
        "this: take other keys out of authorized_keys of ops; set exclusive to False for it"
    )
    assert unprovable(found, SSHConnector) == []
    assert unprovable(replace(found, in_limit=False)) == []
    assert unprovable(host_of(user(lock_passwords=False), OPEN)) == []
