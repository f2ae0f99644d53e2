"""Read every host of an inventory at once, and make the fleet of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from gevent.pool import Pool
from pyinfra.api import Host, State
from pyinfra.api.exceptions import ConnectError

from roles.container.plan import DOCKERS_OWN_NETWORKS, directories
from roles.docker_engine import managed
from roles.host_check.finding import DATA_ROOT, data_root
from roles.host_check.source import place_of_packages, place_of_proxy
from roles.host_setup.looked import looked_at
from roles.observed import IpAddress, Look, Observed
from roles.registry import data as registry
from roles.run.address import (
    REGISTRY_VARIABLE,
    NoAddress,
    by_family,
    export_address,
    is_address,
    own_address,
    split_endpoints,
)
from roles.run.connecting import AT_ONCE, connect_error
from roles.run.current import observe_all
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.run.wanted import Wanted
from roles.run.wishes import Wish, Wishes


@dataclass(frozen=True)
class Reading:
    """What was read of an inventory's hosts; each is a member, or is named with what was wrong."""

    fleet: Fleet
    wanted: Mapping[Host, Wanted]
    """Of every host whose data is right."""
    observed: Mapping[Host, Observed]
    """Of every host that could be read."""
    unreachable: Mapping[Host, str]
    """Why no connection came about."""
    unread: tuple[Problem, ...] = ()
    """The hosts that could be connected to, and not read."""
    wrong: tuple[Problem, ...] = ()
    """What is wrong with the data."""
    strayed: tuple[Problem, ...] = ()
    """The hosts that were read, and whose address can't be told."""


def read(state: State, wishes: Wishes, *, to_act: bool = False) -> Reading:
    """Connect to all hosts of the inventory, and read each by one probe.

    Who reads `to_act` wants to know as well whether `docker` answers, by which hosts are changed.
    """
    hosts = list(state.inventory)
    connected, unreachable = connect(state, hosts)
    wished, wrong = wishes(state, connected)
    wanted = {host: wish.wanted for host, wish in wished.items()}
    observed: dict[Host, Observed] = {}
    unread: list[Problem] = []
    looks = {host: replace(look(wanted.get(host)), is_acted_on=to_act) for host in connected}
    for host, result in observe_all(state, looks).items():
        if isinstance(result, Observed):
            observed[host] = result
        else:
            unread.append(Problem(host.name, "probe", explained(str(result))))
    both = [host for host in observed if host in wanted]
    members, strayed = _members(state, both, wished, observed)
    names = {member.name for member in members}
    fleet = Fleet(
        tuple(members),
        tuple(host.name for host in unreachable),
        all(host.name in names for host in hosts if "registry" in host.groups),
    )
    return Reading(
        fleet, wanted, observed, unreachable, tuple(unread), tuple(wrong), tuple(strayed)
    )


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
    asked = looked_at(wanted.host_setup)
    sums = (*engine_sums, *asked.sums)
    if data:
        paths.append(f"{data}/{registry.HISTORY}")
    return Look(
        paths=(*paths, *engine_paths, *asked.paths, *sums),
        sums=sums,
        files=tuple(f"{data}/{name}" for name in (registry.MYID, registry.MEMBERS) if data),
        newest=(f"{data}/{registry.AGREED}",) if data else (),
        names=tuple(name for name, _ in split_endpoints(wanted.registry.connection)),
        disks=(data_root(wanted), *dict.fromkeys(part.logs.host for part in parts)),
        source=place_of_packages(wanted.docker_engine),
        proxy=place_of_proxy(wanted.docker_engine),
        networks=any(part.network not in DOCKERS_OWN_NETWORKS for part in parts),
        setup=asked.setup,
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
        known = [*_external_servers(wanted, observed[host]), *servers]
        towards = known or _told_servers(observed[host])
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


def _told_servers(observed: Observed) -> list[IpAddress]:
    """The registry's servers by what the host's containers were told: none could be read."""
    told = (c.environment.get(REGISTRY_VARIABLE) for c in observed.containers)
    places = [host for connection in told for host, _ in split_endpoints(connection)]
    return [ip_address(place) for place in dict.fromkeys(places) if is_address(place)]


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
