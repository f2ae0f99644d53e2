"""What a run is told where another has the hosts, or has had them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roles.observed.lease import Lease, parse_lease
from roles.run.fleet import Member
from roles.run.problems import Problem
from roles.run.report import counted

RUNNING, HELD, CHANGED = 73, 75, 76
"""What lease.sh exits with where it does not give the lease."""


def by_name(member: Member) -> str:
    """The order in which hosts are leased."""
    return member.name


def check(leases: Mapping[str, Lease]) -> list[Problem]:
    """Who changes hosts now, by the hosts' own leases; one problem for each run that does."""
    held: dict[str, list[str]] = {}
    for host in sorted(leases):
        if leases[host].is_held:
            held.setdefault(leases[host].token, []).append(host)
    return [held_by(hosts[0], leases[hosts[0]], hosts[1:]) for hosts in held.values()]


def held_by(host: str, lease: Lease, others: Sequence[str] = ()) -> Problem:
    more = f", as {counted(len(others), 'host')} more" if others else ""
    wait = "wait for it; that of a run that died runs out by itself"
    text = f"held by {lease.holder}, until {lease.expiry} unless renewed{more}; {wait}"
    return Problem(host, "lease", text)


def not_taken(host: str, exit_code: int, told: str, error: str) -> Problem:
    """Why a host did not give the lease: what lease.sh exits with, and prints."""
    lease = parse_lease(told.splitlines())
    if exit_code == HELD:
        return held_by(host, lease)
    if exit_code == CHANGED:
        by = f"by {lease.holder}" if lease.owner else "and its record is gone"
        return Problem(host, "lease", f"changed since the survey, {by}; run again")
    if exit_code == RUNNING:
        text = f"a command still runs on it, of {lease.holder}; wait until that has ended"
        return Problem(host, "lease", text)
    return Problem(host, "lease", error or f"exited with {exit_code}")
