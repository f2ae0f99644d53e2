"""What a run records on the hosts at its end, where some can not be told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.observed import holding
from roles.observed.channel import RemoteError
from roles.release import operations, store
from roles.release.record import Record
from roles.release.store import Kept
from roles.run.fleet import Fleet
from tests.unit.build import change, fleet, state_of
from tests.unit.release.build import FIRST, recorded
from tests.unit.release.test_record import made

FLEET = change(recorded(fleet("app-1", "app-2", "app-3", "registry-1")), "app-2", in_limit=False)


class Records:
    """The hosts' records, as what is told them goes; some are silent, from a call on."""

    def __init__(self) -> None:
        self.silent: dict[str, str] = {}
        self.written: list[str] = []
        self.current: list[str] = []

    def _hear(self, host: Host, call: str) -> None:
        if why := holding.why_lost(host):
            raise RemoteError(why)
        if self.silent.get(host.name) == call:
            raise RemoteError("the connection broke")

    def read_all(self, state: State, host: Host) -> Kept:
        self._hear(host, "read_all")
        return Kept(FIRST, {FIRST: made()})

    def write(self, state: State, host: Host, record: Record) -> None:
        self._hear(host, "write")
        self.written.append(host.name)

    def make_current(self, state: State, host: Host, name: str, kept: Any) -> None:
        self._hear(host, "make_current")
        self.current.append(host.name)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Records:
    caplog.set_level(logging.INFO, logger="pyinfra")
    found = Records()
    for name in ("read_all", "write", "make_current"):
        monkeypatch.setattr(store, name, getattr(found, name))
    return found


def record(found: Fleet, dropped: str | None = None) -> bool:
    state = state_of(found)
    if dropped:
        holding.drop(state.inventory.get_host(dropped), "lease: could not be renewed in time")
    return operations._record(state, state.inventory.get_host("app-1"), ())


ALL = ["app-1", "app-2", "app-3", "registry-1"]
OTHERS = ["app-1", "app-3", "registry-1"]


def test_every_host_gets_a_record(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    assert record(FLEET)
    assert (sorted(records.written), sorted(records.current)) == (ALL, ALL)
    assert "on 4 hosts" in caplog.text


@pytest.mark.parametrize("call", ["read_all", "write", "make_current"])
def test_one_outside_the_limit_that_is_off_is_named_and_left_out(
    records: Records, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    records.silent = {"app-2": call}
    assert record(FLEET)
    assert sorted(records.current) == OTHERS
    warnings = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("app-2: release: has no record of release ")
    assert warnings[0].endswith(": the connection broke")
    assert "on 3 hosts" in caplog.text


def test_one_that_the_run_goes_on_without_is_told_nothing(records: Records) -> None:
    assert record(FLEET, dropped="app-2")
    assert sorted(records.current) == OTHERS


@pytest.mark.parametrize("call", ["write", "make_current"])
def test_one_of_the_limit_must_be_told(
    records: Records, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    records.silent = {"app-3": call}
    assert not record(FLEET)
    assert "app-3: release: the connection broke; run again" in caplog.messages
    assert (records.current == []) is (call == "write")
    assert "Recorded" not in caplog.text
