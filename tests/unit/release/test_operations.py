"""What a run has its hosts keep, with hosts that only remember what they are told."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from pyinfra.api import Host, State

from roles.release import operations, store
from roles.release.record import Record
from roles.release.store import Kept
from tests.unit.build import change, fleet, state_of
from tests.unit.release.build import FIRST, recorded
from tests.unit.release.test_plan import of_round
from tests.unit.release.test_record import made


class Hosts:
    """What was written to which host, and what each runs by its own record."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: dict[str, Record] = {}
        self.current: dict[str, str] = {}
        self.kept: dict[str, Kept] = {}
        monkeypatch.setattr(store, "read_all", lambda state, host: self.kept[host.name])
        monkeypatch.setattr(store, "write", self._write)
        monkeypatch.setattr(store, "make_current", self._make_current)

    def _write(self, state: State, host: Host, record: Record) -> None:
        self.written[host.name] = record

    def _make_current(self, state: State, host: Host, name: str, kept: Iterable[str]) -> None:
        self.current[host.name] = name


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


def test_every_host_gets_the_record_also_where_it_is_as_before(told: Hosts) -> None:
    found = change(recorded(of_round("1")), "app-2", in_limit=False)
    told.kept["app-2"] = Kept(FIRST, {FIRST: made().renamed(FIRST, "bob@desk")})
    state = state_of(found)
    assert operations._record(state, next(iter(state.inventory)), ())
    assert told.current.keys() == {"app-1", "app-2", "registry-1"}
    [name] = set(told.current.values())
    assert name > FIRST
    assert told.written["app-1"].wanted == found["app-1"].wanted
    assert told.written["app-2"] == made().renamed(name, operations.who())


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (Kept(FIRST, {}, {FIRST: "says what this Dockyard does not know: wanted.x"}), "says what"),
        (Kept(FIRST), "is not there any more"),
    ],
)
def test_a_host_outside_the_limit_whose_record_cannot_be_used_is_left_out(
    told: Hosts, caplog: pytest.LogCaptureFixture, kept: Kept, why: str
) -> None:
    told.kept["app-2"] = kept
    state = state_of(change(recorded(of_round("1")), "app-2", in_limit=False))
    assert operations._record(state, next(iter(state.inventory)), ())
    assert told.written.keys() == told.current.keys() == {"app-1", "registry-1"}
    assert f"app-2 is left out of release {told.current['app-1']}: its record of {FIRST} {why}" in (
        caplog.text
    )


def test_a_host_without_any_record_outside_the_limit_gets_none(told: Hosts) -> None:
    state = state_of(change(fleet("app-1", "app-2", "registry-1"), "app-2", in_limit=False))
    assert operations._record(state, next(iter(state.inventory)), ())
    assert told.current.keys() == {"app-1", "registry-1"}
