from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from roles.observed import Drained
from roles.observed.releases import Releases
from roles.run import away
from roles.run.fleet import Fleet, Member
from tests.unit.build import fitted, local_state, member

TOLD = {"host": "app-2", "by": "ann@laptop", "since": "10", "until": "9999999999", "reason": "disk"}
AWAY = Drained("ann@laptop", 10, 9_999_999_999, "disk")
KNOWN = Releases(current_name="2026-11-26T10:00:00Z")


def app(number: int, **observed: Any) -> Member:
    found = fitted(f"198.18.0.1{number}", **{"releases": KNOWN, **observed})
    return member(f"app-{number}", observed=found, registry={"server": None, "connection": "zk:1"})


class Session:
    """Counts who asks for what the registry's marks say."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.asked = told, 0

    def hosts_away(self, now: float) -> dict[str, Any]:
        self.asked += 1
        return self.told


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Session:
    found = Session({"app-2": TOLD, "app-3": {"host": "app-3"}})

    @contextmanager
    def opened(*_: Any) -> Any:
        yield found

    monkeypatch.setattr(away, "session", opened)
    return found


def test_who_can_tell_it_is_not_asked_for(registry: Session) -> None:
    assert away.known_away(local_state("app-1", "app-2"), Fleet((app(1), app(2)))) == {}
    assert registry.asked == 0


@pytest.mark.parametrize(
    "fleet",
    [Fleet((app(1),), unreachable=("app-2",)), Fleet((app(1), app(2, releases=Releases())))],
    ids=["unreachable", "with a new disk"],
)
def test_who_can_not_is_known_by_the_registrys_marks(registry: Session, fleet: Fleet) -> None:
    state = local_state("app-1", "app-2")
    assert away.known_away(state, fleet) == {"app-2": AWAY}


def test_before_the_first_deploy_there_is_no_registry_to_ask(registry: Session) -> None:
    bare = member("registry-1", observed=fitted("198.18.0.31"))
    assert away.known_away(local_state("registry-1"), Fleet((bare,))) == {}
    assert registry.asked == 0


def test_drained_hosts_are_left_out_and_those_of_the_limit_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet = Fleet((app(1), app(2), replace(app(3), in_limit=False, absent=AWAY)))
    found = away.left_out(away.marked(fleet, {"app-2": AWAY}))
    assert [m.in_limit for m in found] == [True, False, False]
    assert [m.drained for m in found] == [None, AWAY, AWAY]
    assert "app-2 is left out: it is drained by ann@laptop" in caplog.text
    assert "app-3" not in caplog.text
