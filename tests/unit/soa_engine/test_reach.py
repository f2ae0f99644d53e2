from __future__ import annotations

import pytest
from pyinfra.api import State

from roles.observed import Drained, holding
from roles.soa_engine import reach
from roles.soa_engine.reach import Matrix, prove_reached, shown
from tests.unit.build import fleet, look_again, state_of


@pytest.mark.parametrize(
    "matrix, text",
    [
        (
            {
                ("app-1", "198.18.0.11:1080"): True,
                ("app-1", "198.18.0.12:1080"): False,
                ("a-longer-name", "198.18.0.11:1080"): True,
                ("a-longer-name", "198.18.0.12:1080"): None,
            },
            "  from           198.18.0.11:1080  198.18.0.12:1080\n"
            "  app-1          yes               NO\n"
            "  a-longer-name  yes               ?",
        ),
        (
            {("app-1", "[2001:db8::1]:1080"): False},
            "  from   [2001:db8::1]:1080\n  app-1  NO",
        ),
        ({}, "  from  "),
    ],
    ids=["two by two", "one", "none"],
)
def test_who_reaches_whom(matrix: Matrix, text: str) -> None:
    assert shown(matrix) == text


AWAY = Drained("ann@laptop", 1_764_000_000, 1_764_007_200, "new disk")


@pytest.mark.parametrize("proven", ["app-1", "app-2"])
def test_from_where_an_engine_must_be_reached(proven: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from a host that may be switched off; from the very one that comes back, though."""
    found = look_again(fleet("app-1", "app-2", "app-3", "app-4"), "app-2", drained=AWAY)
    state, asked = state_of(found), list[str]()
    holding.drop(state.inventory.get_host("app-3"), "lease: could not be renewed in time")

    def matrix(state: State, callers: list[str], engines: list[str]) -> Matrix:
        asked.extend(callers)
        return {(caller, engine): True for caller in callers for engine in engines}

    monkeypatch.setattr(reach, "_matrix", matrix)
    prove_reached(state, found, found[proven], "198.18.0.11:1080")
    assert asked == ["app-1", *(["app-2"] if proven == "app-2" else []), "app-4"]
