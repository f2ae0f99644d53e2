"""What the check makes of what was read; hosts and the registry's marks are the test's own."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from pyinfra.api import State

from roles.drift import check
from roles.drift.model import Report
from roles.observed import Address, Drained, Service
from roles.run.fleet import Fleet
from roles.run.problems import Problem
from roles.run.reading import Reading
from tests.unit.build import fleet, local_state, look_again, member, recorded, serving

NAMES = ("app-1", "app-2", "registry-1")
AWAY = Drained("ann@laptop", 10, 9_999_999_999, "disk")
DRAINED = "drained by ann@laptop since 1970-01-01 00:00:10 until 2286-11-20 17:46:39 UTC: disk"


def whole() -> Fleet:
    present = {"docker_engine": {"source": "present"}}
    return recorded(serving(fleet(*(member(name, **present) for name in NAMES))))


def checked(
    monkeypatch: pytest.MonkeyPatch, found: Fleet, strayed: tuple[Problem, ...] = ()
) -> Report:
    """The check of hosts that were read so; between them nothing differs."""
    state = local_state(*NAMES)
    hosts = {host.name: host for host in state.inventory}
    astray = {problem.host for problem in strayed}
    reading = Reading(
        fleet=replace(found, members=tuple(m for m in found if m.name not in astray)),
        wanted={hosts[m.name]: m.wanted for m in found},
        observed={hosts[m.name]: m.observed for m in found},
        unreachable={hosts[name]: "timed out" for name in found.unreachable},
        strayed=strayed,
    )
    monkeypatch.setattr(check, "read", lambda *_: reading)
    monkeypatch.setattr(check.across, "differences", lambda *_: [])
    return check.check(state, "inventories/prod.py")


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Drained]:
    """Whom the registry knows as drained."""
    found: dict[str, Drained] = {}

    def known_away(state: State, fleet: Fleet) -> dict[str, Drained]:
        return found

    monkeypatch.setattr(check.away, "known_away", known_away)
    return found


def states(report: Report) -> dict[str, tuple[str, str]]:
    return {host.name: (host.state, host.why) for host in report.hosts}


def without(found: Fleet, name: str) -> Fleet:
    members = tuple(member for member in found if member.name != name)
    return replace(found, members=members, unreachable=(name,))


def test_a_host_that_is_switched_off_was_not_checked(
    monkeypatch: pytest.MonkeyPatch, marks: dict[str, Drained]
) -> None:
    report = checked(monkeypatch, without(whole(), "app-2"))
    assert states(report)["app-2"] == ("not checked", "can't be reached: timed out")
    assert report.exit_code == 3


def test_one_that_was_drained_before_is_in_maintenance(
    monkeypatch: pytest.MonkeyPatch, marks: dict[str, Drained]
) -> None:
    marks["app-2"] = AWAY
    report = checked(monkeypatch, without(whole(), "app-2"))
    told = f"{DRAINED}; can't be reached: timed out"
    assert states(report)["app-2"] == ("maintenance", told)
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"docker_hangs": True}, "its Docker engine hangs: it did not answer in time"),
        ({"docker_error": "odd"}, "its Docker engine runs and does not answer: odd"),
    ],
    ids=["hangs", "refuses"],
)
def test_an_engine_that_can_not_be_judged(
    monkeypatch: pytest.MonkeyPatch, marks: dict[str, Drained], seen: dict[str, object], why: str
) -> None:
    silent = look_again(whole(), "app-2", **seen)
    assert states(checked(monkeypatch, silent))["app-2"] == ("not checked", why)
    away = look_again(silent, "app-2", drained=AWAY)
    assert states(checked(monkeypatch, away))["app-2"] == ("maintenance", f"{DRAINED}; {why}")


def test_an_engine_that_is_stopped_is_drift_of_a_host_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, marks: dict[str, Drained]
) -> None:
    stopped = {"docker_service": Service(enabled=True, active=False), "docker_error": "no socket"}
    found = look_again(whole(), "app-2", docker_version=None, containers=(), **stopped)
    report = checked(monkeypatch, found)
    assert states(report)["app-2"] == ("drift", "")
    assert ("app-2", "docker_engine") in {(one.host, one.role) for one in report.drift}


@pytest.mark.parametrize(
    ("has", "kind", "wanted"),
    [("198.18.0.12", "refused", "fit for a deploy"), ("198.18.7.7", "address moved", "an address")],
)
def test_a_host_whose_address_cant_be_told(
    monkeypatch: pytest.MonkeyPatch, marks: dict[str, Drained], has: str, kind: str, wanted: str
) -> None:
    """The data has to say which, or what its containers were told is gone."""
    found = look_again(whole(), "app-2", addresses=(Address("eth0", IPv4Address(has), 24),))
    problem = Problem("app-2", "export_ip", "which one?")
    report = checked(monkeypatch, found, strayed=(problem,))
    [one] = [one for one in report.drift if one.host == "app-2"]
    assert (one.path, one.wanted, one.found, one.kind) == ("export_ip", wanted, "which one?", kind)
