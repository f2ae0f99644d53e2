"""Read every host once, and tell what is not as it is wanted. Changes nothing, anywhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pyinfra.api import Host, State

from roles.drift import across, hosts
from roles.drift.ignore import ignored
from roles.drift.model import Finding, HostResult, Report, that_drift
from roles.observed import Drained, channel
from roles.run import away, busy
from roles.run.connecting import unreached
from roles.run.fleet import Fleet
from roles.run.problems import Problem, Refused
from roles.run.reading import Reading, read
from roles.run.wishes import said


def check(state: State, inventory: str) -> Report:
    """Check the hosts of the limit, or all; `inventory` is what it is called in the report.

    Raises:
        Refused: the data is wrong: nothing can be compared with it.
    """
    began, started = datetime.now(UTC), time.monotonic()
    for host in state.inventory:
        channel.only_read(host)
    reading = read(state, said)
    if reading.wrong:
        raise Refused(list(reading.wrong))
    unread = _unread(reading)
    fleet = _judged(reading.fleet, unread)
    absent = away.known_away(state, fleet)
    drained = {host.name: absent.get(host.name) for host in reading.unreachable}
    drained |= {member.name: member.drained for member in away.marked(reading.fleet, absent)}
    fleet = away.marked(fleet, absent)
    found = [*hosts.differences(fleet), *(_stray(reading, each) for each in reading.strayed)]
    found += across.differences(
        state, fleet, {*unread, *(str(problem.host) for problem in reading.strayed)}
    )
    limited = [one for one in [*found, *hosts.unmanaged(fleet)] if _is_in_limit(state, one)]
    said_rules = (rule for wanted in reading.wanted.values() for rule in wanted.drift.ignore)
    rules = list(dict.fromkeys(said_rules))
    findings, notes = ignored(sorted(limited, key=_order), rules, began.date())
    notes += [str(problem) for problem in _busy(reading)]
    if not fleet.has_whole_registry:
        notes.append("Not every server of the registry was read: who was told what, is not judged.")
    results = [_result(state, host, drained, unread, findings) for host in state.inventory]
    took_s = round(time.monotonic() - started, 3)
    return Report(inventory, began, took_s, tuple(results), tuple(findings), tuple(notes))


def _unread(reading: Reading) -> dict[str, str]:
    """The hosts that could not be checked, by name, and why."""
    unread = {host.name: unreached(host.name, why) for host, why in reading.unreachable.items()}
    unread |= {str(problem.host): problem.text for problem in reading.unread}
    for host, found in reading.observed.items():
        is_stopped = not (found.docker_hangs or found.docker_service.active)  # is told as drift
        if found.engine_silence and not is_stopped:
            unread[host.name] = found.engine_silence
    return unread


def _busy(reading: Reading) -> list[Problem]:
    """Where somebody deploys at this moment: what differs there may be half of that."""
    return busy.check({host.name: found.lease for host, found in reading.observed.items()})


def _judged(fleet: Fleet, unread: Mapping[str, str]) -> Fleet:
    """The hosts that can be compared with what is wanted."""
    members = tuple(member for member in fleet if member.name not in unread)
    lost = [member for member in fleet if member.name in unread]
    is_whole = fleet.has_whole_registry and not any("registry" in m.groups for m in lost)
    return replace(fleet, members=members, has_whole_registry=is_whole)


def _stray(reading: Reading, problem: Problem) -> Finding:
    """That a host's address can't be told: what its containers were told may be no more its own."""
    found = next(its for host, its in reading.observed.items() if host.name == problem.host)
    has = {str(address.ip) for address in found.addresses}
    told = {c.environment["EXPORT_IP"] for c in found.containers if "EXPORT_IP" in c.environment}
    if not told - has:
        return hosts.refused(problem, "refused")
    key = problem.key
    return Finding(problem.host, key, key, "an address", problem.text, "address moved")


def _is_in_limit(state: State, finding: Finding) -> bool:
    return finding.host is None or state.is_host_in_limit(state.inventory.get_host(finding.host))


def _order(finding: Finding) -> tuple[str, str, str]:
    return finding.host or "", finding.role, finding.path


def _result(
    state: State,
    host: Host,
    drained: Mapping[str, Drained | None],
    unread: Mapping[str, str],
    findings: list[Finding],
) -> HostResult:
    groups = tuple(host.groups)
    if not state.is_host_in_limit(host):
        return HostResult(host.name, groups, "left out", "by --limit")
    why = unread.get(host.name)
    if by := drained.get(host.name):
        told = f"drained {by}" + (f"; {why}" if why else "")
        return HostResult(host.name, groups, "maintenance", told, is_read=not why)
    if why:
        return HostResult(host.name, groups, "not checked", why, is_read=False)
    differs = any(one.host == host.name for one in that_drift(findings))
    return HostResult(host.name, groups, "drift" if differs else "in sync")
