"""Look at everything before anything is changed anywhere.

All hosts are connected and read at once, all data is validated, all checks run. Every problem of
every host is shown together, and ends the run; else every change is shown, as it will be made.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from gevent.lock import BoundedSemaphore
from gevent.pool import Pool
from pyinfra import logger
from pyinfra.api import DeployError, Host, State
from pyinfra.api.exceptions import ConnectError
from pyinfra.context import ctx_state

from roles.container.plan import directories
from roles.docker_engine import managed
from roles.docker_engine import plan as docker_engine
from roles.docker_engine.rehearsal import rehearse
from roles.host_check import plan as host_check
from roles.host_check.finding import DATA_ROOT, data_root
from roles.host_check.source import place_of_packages, place_of_proxy
from roles.images import plan as images
from roles.observed import IpAddress, Look, Observed
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.release import plan as release
from roles.run import asked, away, busy, conflicts, lease, options, report
from roles.run.address import (
    NoAddress,
    by_family,
    export_address,
    own_address,
    split_endpoints,
)
from roles.run.callbacks import connect_error
from roles.run.changes import Change
from roles.run.current import AT_ONCE, is_surveyed, observe_all, remember, surveyed_fleet
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem, Refused
from roles.run.wanted import Wanted
from roles.run.wishes import Wish, Wishes, said
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine


class Role(Protocol):
    """A role's plan module: what forbids the role, and what it would change."""

    def check(self, fleet: Fleet) -> list[Problem]: ...

    def plan(self, fleet: Fleet) -> list[Change]: ...


SYSTEM: tuple[Role, ...] = (docker_engine, images, registry, soa_engine, proxy, sdk, release)
"""The whole service system, in the order in which deploy/soa.py composes the roles."""

_lock = BoundedSemaphore()


def survey(
    roles: tuple[Role, ...] = SYSTEM, wishes: Wishes = said, with_drained: bool = False
) -> None:
    """Survey the whole inventory, once; to be called first in a deploy file.

    `roles` are those that the deploy file composes, in its order; `wishes` tells what is wanted. A
    drained host is left out, unless `with_drained`.

    Raises:
        DeployError: the run is refused; carries every problem.
        SystemExit: nothing is to be changed, and pyinfra would only ask whether to do it (0).
    """
    state = ctx_state.get()
    with _lock:
        if is_surveyed(state):
            _announce(state, surveyed_fleet(state), roles)
            return
        try:
            fleet = _survey(state, roles, wishes, with_drained)
        except Refused as refused:
            found = report.counted(len(refused.problems), "problem")
            raise DeployError(f"{found}, and nothing was changed:\n{refused}") from None
        remember(state, fleet)
        _announce(state, fleet, roles)
        changes = [change for role in roles for change in role.plan(fleet)]
        report.warned(host_check.warnings(fleet, _host_checks(roles)))
        report.planned(changes, len(fleet.members))
        given = options.current()
        if given.asks and not changes and len(given.deploys) == 1:
            sys.exit(0)
        if given.asks and not options.has_terminal():
            raise DeployError("there is no terminal to ask on; add -y, or --dry to look only")


def _survey(state: State, roles: tuple[Role, ...], wishes: Wishes, with_drained: bool) -> Fleet:
    problems = list(_refused_options())
    hosts = list(state.inventory)
    connected, unreachable = connect(state, hosts)
    wished, wrong = wishes(state, connected)
    problems += wrong
    wanted = {host: wish.wanted for host, wish in wished.items()}
    looks = {host: look(wanted.get(host)) for host in connected}
    observed: dict[Host, Observed] = {}
    for host, result in observe_all(state, looks).items():
        if isinstance(result, Observed):
            observed[host] = result
        else:
            problems.append(Problem(host.name, "probe", explained(str(result))))
    _refuse_leased(observed)
    both = [host for host in observed if host in wanted]
    members, wrong = _members(state, both, wished, observed)
    names = {member.name for member in members}
    fleet = Fleet(
        tuple(members),
        tuple(host.name for host in unreachable),
        all(host.name in names for host in hosts if "registry" in host.groups),
    )
    problems += wrong
    absent = away.known_away(state, fleet)
    problems += _unreachable_problems(unreachable, wanted, absent)
    fleet = away.marked(fleet, absent)
    fleet = fleet if with_drained else away.left_out(fleet)
    problems += [*host_check.check(fleet, _host_checks(roles)), *conflicts.check(fleet)]
    problems += asked.check(fleet, roles, options.current().deploys)
    problems += [problem for role in roles for problem in role.check(fleet)]
    if docker_engine in roles:
        fleet, wrong = rehearse(state, fleet, without={problem.host for problem in problems})
        problems += wrong
    if problems:
        raise Refused(problems)
    return fleet


def _announce(state: State, fleet: Fleet, roles: tuple[Role, ...]) -> None:
    plans = [role.plan for role in roles]
    lease.announce(state, fleet, plans, " ".join(options.current().deploys))


def _refuse_leased(observed: Mapping[Host, Observed]) -> None:
    """Where another deploys nothing else is told: what was read may be half of a change.

    Also what was read of records, or a host's address, and made no wish, or no member, of it.
    Who only looks may do so, but is told that what is seen is about to change.
    """
    found = busy.check({host.name: its.lease for host, its in observed.items()})
    if found and not options.current().dry:
        raise Refused(found)
    for problem in found:
        logger.warning(str(problem))


def _host_checks(roles: tuple[Role, ...]) -> Collection[str]:
    """What is not installed or deployed needs no fit host: an engine stops on a full disk, too."""
    return host_check.CHECKS if any(role in SYSTEM for role in roles) else host_check.ALWAYS


def _refused_options() -> Iterator[Problem]:
    given = options.current()
    order = "the rollout decides the order of hosts; leave it away"
    if given.serial:
        yield Problem(None, "--serial", order)
    if given.no_wait:
        yield Problem(None, "--no-wait", order)
    if given.retry:
        yield Problem(None, "--retry", "a step that failed is looked at first; leave it away")
    if given.fail_percent:
        yield Problem(None, "--fail-percent", "a deploy ends at the first failure; leave it away")


def _unreachable_problems(
    unreachable: dict[Host, str], wanted: dict[Host, Wanted], absent: Collection[str]
) -> Iterator[Problem]:
    """Hosts that can't be reached are left out only where the data allows that many.

    Never one with another key: it may be another host. Never a server of our registry: without its
    address every container would be told another list. Those `absent` are known to be drained.
    """
    allowed = max((w.rollout.max_unreachable for w in wanted.values()), default=0)
    missed = [host for host in unreachable if host.name not in absent]
    for host, why in unreachable.items():
        if "host key" in why.lower():
            text = (
                "its host key is not the one that is known; compare it at the host's console first"
            )
            yield Problem(host.name, "connection", f"{text}: {why}")
        elif "registry" in host.groups:
            text = f"can't be reached, and every container is told its address; mend that: {why}"
            yield Problem(host.name, "connection", text)
        elif host in missed and len(missed) > allowed:
            count = len(missed)
            go_on = f"--data rollout.max_unreachable={count}"
            text = f"can't be reached; mend that, or go on without by {go_on}"
            yield Problem(host.name, "connection", f"{text} (it is {allowed}): {why}")
        else:
            host.state.failed_hosts.discard(host)  # it is allowed, so it does not fail the run
            known = "" if host in missed else ", is drained"
            away.warn_twice(f"{host.name} can't be reached{known} and is left out: {why}")


def explained(error: str) -> str:
    """Say what to do where sudo is in the way."""
    if "password is required" in error:
        return (
            "sudo asks this user for a password, as it also does where the user has no right to "
            "use it; add --same-sudo-password, or `_sudo_password` to the host's data"
        )
    if "not in the sudoers file" in error or "incorrect password" in error:
        return f"sudo refused this user or its password; give it the right to become root: {error}"
    return error


def connect(state: State, hosts: list[Host]) -> tuple[list[Host], dict[Host, str]]:
    """Connect to the hosts that pyinfra left out by --limit: what they are must be known too."""

    def error_of(host: Host) -> str | None:
        if host.connected:
            return None
        if state.is_host_in_limit(host):
            return connect_error(host)
        try:
            host.connect(show_errors=False, raise_exceptions=True)
        except ConnectError as error:
            return str(error)
        return None

    errors = dict(zip(hosts, Pool(AT_ONCE).map(error_of, hosts), strict=True))
    connected = [host for host, error in errors.items() if error is None]
    return connected, {host: error for host, error in errors.items() if error}


def look(wanted: Wanted | None) -> Look:
    """What a host is asked beyond the usual: its parts' paths and disks, the registry's names."""
    if wanted is None:
        return Look(disks=(DATA_ROOT,))
    parts = [p for role in ("registry", "soa_engine", "proxy", "sdk") if (p := wanted.part(role))]
    data = wanted.registry.server.data.host if wanted.registry.server else None
    paths = [directory.path for part in parts for directory in directories(part)]
    engine_paths, engine_sums = managed.looked_at(wanted.docker_engine)
    if data:
        paths.append(f"{data}/{registry.HISTORY}")
    return Look(
        paths=(*paths, *engine_paths),
        sums=engine_sums,
        files=(f"{data}/{registry.MYID}",) if data else (),
        names=tuple(name for name, _ in split_endpoints(wanted.registry.connection)),
        disks=(data_root(wanted), *dict.fromkeys(part.logs.host for part in parts)),
        source=place_of_packages(wanted.docker_engine),
        proxy=place_of_proxy(wanted.docker_engine),
    )


def _members(
    state: State, hosts: list[Host], wished: dict[Host, Wish], observed: dict[Host, Observed]
) -> tuple[list[Member], list[Problem]]:
    """Find every host's own address: the registry's first, since the others look towards it."""
    members: dict[str, Member] = {}
    problems: list[Problem] = []
    servers: list[IpAddress] = []
    for host in sorted(hosts, key=lambda host: "registry" not in host.groups):
        wanted = wished[host].wanted
        towards = [*_external_servers(wanted, observed[host]), *servers]
        try:
            address, own = _addresses(wanted, observed[host], towards)
        except NoAddress as error:
            problems.append(Problem(host.name, "export_ip", str(error)))
            continue
        if "registry" in host.groups:
            servers = sorted([*servers, address], key=by_family)
            if own != address:
                problems.append(Problem(host.name, "export_ip_nat", _translated_server(address)))
        members[host.name] = Member(
            name=host.name,
            groups=frozenset(host.groups),
            wanted=wanted,
            observed=observed[host],
            address=address,
            in_limit=state.is_host_in_limit(host) and host in state.active_hosts,
            translated_to=own if own != address else None,
            released=wished[host].release,
        )
    return [members[host.name] for host in hosts if host.name in members], problems


def _external_servers(wanted: Wanted, observed: Observed) -> list[IpAddress]:
    names = [name for name, _ in split_endpoints(wanted.registry.connection)]
    return [observed.resolved[name] for name in names if name in observed.resolved]


def _addresses(
    wanted: Wanted, observed: Observed, towards: list[IpAddress]
) -> tuple[IpAddress, IpAddress]:
    """What a host exports, and the address of its own by which that reaches it."""
    exported = export_address(observed, wanted.export_ip, towards, nat=wanted.export_ip_nat)
    return exported, own_address(observed, exported, towards)


def _translated_server(address: IpAddress) -> str:
    return (
        f"{address} is on no interface of this host, and ZooKeeper's servers listen on the address "
        "that the others are told; export one of the host's own"
    )
