"""The timezone, and who keeps the clock right. Pure."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator

from roles.host_setup.change import ROLE, SetupChange, block_problem, change, file_gaps, lines
from roles.host_setup.commands import Step, place, script
from roles.host_setup.packages import installed, packager, packager_problem
from roles.host_setup.spec import TimeSyncSpec
from roles.observed import Unit
from roles.run.changes import Gap
from roles.run.fleet import Member
from roles.run.problems import Problem

ZONES = "/usr/share/zoneinfo"
UNITS = {
    "timesyncd": ("systemd-timesyncd.service",),
    "chrony": ("chronyd.service", "chrony.service"),
}
PACKAGES = {"timesyncd": "systemd-timesyncd", "chrony": "chrony"}
TIMESYNCD_CONF = "/etc/systemd/timesyncd.conf.d/dockyard.conf"
CHRONY_CONFS = {"deb": "/etc/chrony/chrony.conf", "rpm": "/etc/chrony.conf"}


def problems(member: Member) -> Iterator[Problem]:
    spec, paths = member.wanted.host_setup, member.observed.paths
    zone, key = spec.timezone, f"{ROLE}.timezone"
    if zone and ZONES in paths and f"{ZONES}/{zone}" not in paths:
        text = f"'{zone}' is no timezone that the host knows; expected a path below {ZONES} there"
        yield Problem(member.name, key, text)
    elif zone and ZONES not in paths:
        known = zoneinfo.available_timezones()
        if known and zone not in known:
            yield Problem(member.name, key, f"'{zone}' is no timezone; expected one of IANA's")
        yield from packager_problem(member, key, "tzdata")
    if spec.time_sync:
        key = f"{ROLE}.time_sync"
        if member.observed.init != "systemd":
            text = f"needs systemd, found {member.observed.init}; leave it away for this host"
            yield Problem(member.name, key, text)
        elif _unit(member, spec.time_sync) is None:
            yield from packager_problem(member, key, PACKAGES[service(member, spec.time_sync)])
        elif spec.time_sync.servers and service(member, spec.time_sync) == "chrony":
            yield from block_problem(member, f"{key}.servers", _chrony_conf(member))


def changes(member: Member) -> Iterator[SetupChange]:
    spec = member.wanted.host_setup
    if spec.timezone:
        yield from _zone_changes(member, spec.timezone)
    if spec.time_sync and member.observed.init == "systemd":
        yield from _sync_changes(member, spec.time_sync)


def _zone_changes(member: Member, zone: str) -> list[SetupChange]:
    found, steps = member.observed.setup.zone, [script("zone", zone)]
    gaps = [Gap("/etc/localtime", zone, found or "no link to a timezone")] if found != zone else []
    if ZONES not in member.observed.paths:
        gaps.append(Gap("package tzdata", "installed", "absent"))
        steps = [*installed(member, "tzdata"), *steps]
    return change(member, f"set the timezone {zone}", gaps, *steps)


def service(member: Member, spec: TimeSyncSpec) -> str:
    """The one that is to run."""
    if spec.service != "auto":
        return spec.service
    has_chrony = member.observed.setup.unit(*UNITS["chrony"]) is not None
    return "chrony" if has_chrony or packager(member) == "rpm" else "timesyncd"


def _unit(member: Member, spec: TimeSyncSpec) -> Unit | None:
    return member.observed.setup.unit(*UNITS[service(member, spec)])


def _sync_changes(member: Member, spec: TimeSyncSpec) -> list[SetupChange]:
    name, unit = service(member, spec), _unit(member, spec)
    steps: list[Step] = []
    gaps: list[Gap] = []
    if unit is None:
        gaps.append(Gap(f"package {PACKAGES[name]}", "installed", "absent"))
        steps += installed(member, PACKAGES[name])
    else:
        wrong = _wrong(unit)
        gaps += [Gap(UNITS[name][0], "enabled and running", wrong)] if wrong else []
    if spec.servers:
        gaps += _server_gaps(member, name, spec)
        steps.append(_servers(member, name, spec))
    steps.append(script("unit", *UNITS[name]))
    return change(member, f"have {name} keep the clock", gaps, *steps)


def _wrong(unit: Unit) -> str:
    """In a container it does not run: the clock is another's."""
    runs = unit.is_active or unit.is_barred
    words = (("disabled", unit.is_enabled), ("stopped", runs), ("masked", not unit.is_masked))
    return " and ".join(word for word, is_so in words if not is_so)


def _chrony_conf(member: Member) -> str:
    return CHRONY_CONFS[packager(member) or "deb"]


def _content(name: str, spec: TimeSyncSpec) -> bytes:
    if name == "timesyncd":
        return lines("[Time]", f"NTP={' '.join(spec.servers)}")
    return lines(*(f"server {server} iburst" for server in spec.servers))


def _server_gaps(member: Member, name: str, spec: TimeSyncSpec) -> list[Gap]:
    if name == "timesyncd":
        return file_gaps(member, TIMESYNCD_CONF, _content(name, spec))
    path = _chrony_conf(member)
    found = member.observed.setup.blocks.get(path, "")
    if found.encode() == _content(name, spec):
        return []
    return [Gap(f"{path} servers", ", ".join(spec.servers), "differs" if found else "absent")]


def _servers(member: Member, name: str, spec: TimeSyncSpec) -> Step:
    if name == "timesyncd":
        return place(TIMESYNCD_CONF, _content(name, spec))
    path = _chrony_conf(member)
    return place(path, _content(name, spec), where="last")
