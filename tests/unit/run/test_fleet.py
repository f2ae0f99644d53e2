from __future__ import annotations

from dataclasses import replace

import pytest

from roles.observed import Drained
from roles.run.fleet import Member
from tests.unit.build import fitted, fleet, member

AWAY = Drained("ann@laptop", 1_764_000_000, 1_764_007_200, "new disk")


@pytest.mark.parametrize(
    "drained, away, found",
    [
        ((), (), "app-2"),
        (("app-2",), (), "app-3"),
        (("app-2",), ("app-3",), "app-2"),
        (("app-2", "app-3"), (), "app-2"),
        ((), ("app-2", "app-3"), "app-1"),
    ],
    ids=["the first", "not a drained one", "unless no other stays", "all drained", "nobody stays"],
)
def test_who_is_looked_from_while_a_host_may_go_down(
    drained: tuple[str, ...], away: tuple[str, ...], found: str
) -> None:
    def host(name: str) -> Member:
        observed = replace(fitted(), drained=AWAY if name in drained else None)
        return member(name, observed=observed)

    hosts = fleet(*map(host, ("app-1", "app-2", "app-3")))
    assert hosts.staying(hosts["app-1"], away).name == found
