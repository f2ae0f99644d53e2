from __future__ import annotations

from typing import Any

import pytest

from roles.maintenance.drain import drained
from roles.maintenance.spec import DrainWish
from roles.registry.session import Registry
from roles.run.lease import RunLease
from roles.run.who import who
from tests.unit.build import fleet, local_state, member


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("roles.run.who.socket.gethostname", lambda: "laptop")
    monkeypatch.setattr("roles.run.who.getpass.getuser", lambda: "ann\n")
    return monkeypatch


@pytest.mark.usefixtures("account")
def test_who_runs_this_is_one_line() -> None:
    assert who() == "ann@laptop"


@pytest.fixture
def _without_name(account: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    account.setattr("getpass.getuser", nobody)


@pytest.mark.usefixtures("_without_name")
def test_an_account_without_a_name_can_do_the_same() -> None:
    made: list[bytes] = []

    class Client:
        def ensure_path_async(self, path: str) -> Any:
            return self

        def create_async(self, path: str, data: bytes, ephemeral: bool) -> Any:
            made.append(data)
            return self

        def get(self, timeout: float) -> None:
            return

    assert who() == "somebody@laptop"
    assert drained(DrainWish(reason="disk", duration="2h"), member("app-1")).by == "somebody@laptop"
    assert Registry(Client()).mark("198.18.0.11:1080", "rollout")
    assert b'"by": "somebody@laptop"' in made[0]


@pytest.mark.usefixtures("_without_name")
def test_a_lease_is_taken_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    state, asked = local_state("app-1"), []

    def ask(self: RunLease, host: Any, command: str, *words: str, limit_s: float) -> Any:
        asked.append(words)
        raise SystemExit

    monkeypatch.setattr(RunLease, "_ask", ask)
    found = fleet("app-1")
    with pytest.raises(SystemExit):
        RunLease(state, found, "deploy/soa.py").take(found)
    assert asked[0][2] == "somebody@laptop"
