from __future__ import annotations

from typing import Any

import pytest

from roles.host_setup.plan import changes
from roles.observed import Setup, Unit
from tests.unit.host_setup.build import gaps, host, planned, told

ZONES = ("/usr/share/zoneinfo", "/usr/share/zoneinfo/Europe/Berlin")
BERLIN = {"timezone": "Europe/Berlin"}
TIMESYNCD, CHRONYD = "systemd-timesyncd.service", "chronyd.service"
RUNS = Unit(is_enabled=True, is_active=True)
SERVERS = {"time_sync": {"servers": ["ntp1", "ntp2"]}}


def test_a_timezone() -> None:
    assert planned(host(BERLIN, Setup(zone="Europe/Berlin"), paths=ZONES)) == []
    found = host(BERLIN, Setup(zone="Etc/UTC"), paths=ZONES)
    assert gaps(found) == [("/etc/localtime", "Europe/Berlin", "Etc/UTC")]
    assert gaps(host(BERLIN, paths=ZONES))[0][2] == "no link to a timezone"


def test_timezones_are_installed_where_there_are_none() -> None:
    [change] = changes(host(BERLIN, paths=()))
    assert [step.called for step in change.steps] == ["installing tzdata", "zone"]


@pytest.mark.parametrize(
    "paths, expected",
    [
        (ZONES[:1], "'Europe/Berlni' is no timezone that the host knows; expected a path below"),
        ((), "'Europe/Berlni' is no timezone; expected one of IANA's"),
    ],
)
def test_an_unknown_timezone(paths: tuple[str, ...], expected: str) -> None:
    [problem] = told(host({"timezone": "Europe/Berlni"}, paths=paths))
    assert problem.startswith(f"timezone: {expected}")


@pytest.mark.parametrize(
    "units, observed, service, package",
    [
        ({}, {}, TIMESYNCD, "systemd-timesyncd"),
        ({}, {"os_id": "rocky", "os_like": ("rhel",)}, CHRONYD, "chrony"),
        ({TIMESYNCD: RUNS}, {}, None, None),
        ({"chrony.service": RUNS}, {}, None, None),
        ({TIMESYNCD: Unit(True, False, is_barred=True)}, {}, None, None),
        ({TIMESYNCD: Unit(False, False)}, {}, TIMESYNCD, None),
    ],
)
def test_who_keeps_the_clock(
    units: dict[str, Unit], observed: dict[str, Any], service: str | None, package: str | None
) -> None:
    found = changes(host({"time_sync": {}}, Setup(units=units), **observed))
    assert [change.steps[-1].words[4] for change in found] == ([service] if service else [])
    installed = [step.called for change in found for step in change.steps[:-1]]
    assert installed == ([f"installing {package}"] if package else [])


def test_what_is_wrong_with_a_service_is_told() -> None:
    masked = Unit(is_enabled=False, is_active=False, is_masked=True)
    found = host({"time_sync": {}}, Setup(units={TIMESYNCD: masked}))
    assert gaps(found) == [(TIMESYNCD, "enabled and running", "disabled and stopped and masked")]


def test_servers_of_timesyncd_are_a_file() -> None:
    path = "/etc/systemd/timesyncd.conf.d/dockyard.conf"
    setup = Setup(units={TIMESYNCD: RUNS})
    assert planned(host(SERVERS, setup, {path: b"[Time]\nNTP=ntp1 ntp2\n"})) == []
    assert gaps(host(SERVERS, setup)) == [(path, "as Dockyard writes it", "absent")]


def test_a_block_of_chronys_whose_end_is_lost_is_refused() -> None:
    path = "/etc/chrony/chrony.conf"
    lost = Setup(units={"chrony.service": RUNS}, unended=frozenset([path]))
    [problem] = told(host(SERVERS, lost))
    assert problem.startswith(f"time_sync.servers: {path} there has a line '# dockyard: begin' and")
    assert told(host({"time_sync": {}}, lost)) == []


def test_servers_of_chrony_are_a_block() -> None:
    path, text = "/etc/chrony/chrony.conf", "server ntp1 iburst\nserver ntp2 iburst\n"
    setup = Setup(units={"chrony.service": RUNS}, blocks={path: text})
    assert planned(host(SERVERS, setup)) == []
    bare = Setup(units={"chrony.service": RUNS})
    assert gaps(host(SERVERS, bare)) == [(f"{path} servers", "ntp1, ntp2", "absent")]


def test_without_systemd_it_is_refused() -> None:
    [problem] = told(host({"time_sync": {}}, init="init"))
    assert problem == "time_sync: needs systemd, found init; leave it away for this host"
