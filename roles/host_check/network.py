"""Checks of the network: the kernel's parts, and who is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from roles.docker_engine import daemon_json
from roles.docker_engine.daemon_json import NotJson
from roles.host_check.finding import Judged, Subject, Verdict, failed, passed, warned
from roles.observed import Container
from roles.run.address import split_endpoints


def feature(name: str, absent: Verdict = "fail") -> Callable[[Subject], Judged]:
    """A check of a part of the kernel. An engine that runs is proof enough."""

    def check(host: Subject) -> Judged:
        state = host.fitness.features.get(name, "unknown")
        if state == "there":
            return passed("there")
        if state == "loadable":
            return passed("loaded when the engine starts")
        if host.engine_runs:
            return passed("not told; an engine runs")
        if state == "absent":
            return Judged(absent, f"the kernel has no {name}, and no such module is installed")
        return warned(f"the host does not tell whether its kernel has {name}")

    return check


def br_netfilter(host: Subject) -> Judged:
    state = host.fitness.features.get("br_netfilter", "unknown")
    calls = host.fitness.sysctls.get("net.bridge.bridge-nf-call-iptables")
    if state == "there" and calls == "0":
        return warned("net.bridge.bridge-nf-call-iptables is 0")
    return feature("br_netfilter", absent="warn")(host)


def ip_forward(host: Subject) -> Judged:
    value = host.fitness.sysctls.get("net.ipv4.ip_forward", "")
    keeps_off = host.wanted.docker_engine.config.get("ip-forward") is False
    bridged = [role for role, part in host.parts.items() if part.network == "bridge"]
    if value != "0":
        return passed(value or "not told")
    if keeps_off:
        return warned("0, and docker_engine.config has ip-forward false")
    if host.engine_runs and bridged:
        if host.wanted.host_setup.wanted_sysctls.get("net.ipv4.ip_forward") == "1":
            return warned("0 under a running engine; the next deploy sets it")
        return failed(f"0 under a running engine, which publishes the ports of {_and(bridged)}")
    return passed("0; the engine sets it when it starts")


def ipv6(host: Subject) -> Judged:
    wants = host.wanted.docker_engine.config.get("ipv6") is True
    if wants and not host.fitness.has_ipv6:
        return warned("docker_engine.config has ipv6, but no interface has such an address")
    return passed("there" if host.fitness.has_ipv6 else "IPv4 alone")


def ports(host: Subject) -> Judged:
    if host.observed.hides_containers:
        return passed("not judged: the engine does not tell which containers run")
    ours = set(_own_ports(host))
    holders = {listener.port: listener.process for listener in host.fitness.listeners}
    taken = [
        f"{port} ({role}) by {_named(holders[port])}"
        for role, part in host.parts.items()
        for port in part.host_ports
        if port in holders and port not in ours
    ]
    if taken:
        return failed(f"taken: {', '.join(taken)}")
    return passed("free, or our own" if host.parts else "no part is to run here")


def _named(process: str | None) -> str:
    if process == "docker-proxy":
        return "a container that is not Dockyard's (docker-proxy)"
    return process or "a process that the host does not name"


def _own_ports(host: Subject) -> Iterator[int]:
    """What running containers of ours hold: published, or the part's on the host's network."""
    for container in host.observed.containers:
        role = container.labels.get("dockyard.part")
        if not container.running or role is None:
            continue
        yield from _published(container)
        part = host.parts.get(role)
        if part and part.network == "host":
            yield from (port for port in part.host_ports)


def _published(container: Container) -> Iterator[int]:
    settings = (container.inspect or {}).get("HostConfig") or {}
    for bindings in (settings.get("PortBindings") or {}).values():
        for binding in bindings or ():
            port = str(binding.get("HostPort", ""))
            if port.isdecimal():
                yield int(port)


def tcp_socket(host: Subject) -> Judged:
    opened = _opened(host.observed.daemon_json)
    return warned(f"{daemon_json.PATH} opens {', '.join(opened)}") if opened else passed("none")


def _opened(config: str | None) -> list[str]:
    """The TCP sockets of a host's own configuration; without a scheme, dockerd takes it for TCP.

    A file that can't be read is the engine's problem, told by its own role.
    """
    try:
        hosts = daemon_json.read(config).get("hosts")
    except (NotJson, RecursionError):
        return []
    named = [h for h in hosts if isinstance(h, str)] if isinstance(hosts, list) else []
    return [h for h in named if h and ("://" not in h or h.lower().startswith("tcp://"))]


def firewall(host: Subject) -> Judged:
    active = sorted(host.fitness.firewalls)
    if not active:
        return passed("none")
    own = [
        str(port)
        for part in host.parts.values()
        if part.network == "host"
        for port in part.host_ports
    ]
    opened = f"; it has to let in {', '.join(own)}" if own else ""
    return warned(f"{_and(active)} {'is' if len(active) == 1 else 'are'} active{opened}")


def host_name(host: Subject) -> Judged:
    name, addresses = host.fitness.name, host.fitness.name_addresses
    if not name:
        return passed("not told")
    own = {str(address.ip) for address in host.observed.addresses}
    real = [a for a in addresses if not _is_loopback(a)]
    if not addresses:
        return warned(f"{name} resolves to nothing")
    if not real:
        return warned(f"{name} resolves to {', '.join(addresses)}, where only the host itself is")
    if not {address.partition("%")[0] for address in real} & own:
        return warned(f"{name} resolves to {', '.join(real)}, which is on no interface of the host")
    return passed(f"{name} is {', '.join(addresses)}")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def dns(host: Subject) -> Judged:
    source = host.fitness.source
    if source and not source.resolves:
        return failed(f"{source.proxy or source.place} does not resolve")
    names = [name for name, _ in split_endpoints(host.wanted.registry.connection)]
    unknown = [name for name in names if name not in host.observed.resolved]
    if names and len(unknown) == len(names):
        return failed(f"no server of the registry resolves: {', '.join(unknown)}")
    if unknown:
        return warned(f"servers of the registry that do not resolve: {', '.join(unknown)}")
    return passed("all names resolve" if names or source else "no name is needed")


def package_source(host: Subject) -> Judged:
    source = host.fitness.source
    if source is None:
        return passed("not needed: nothing is to be installed from the network")
    place = f"{source.place} (through {source.proxy})" if source.proxy else source.place
    if not source.resolves:
        return warned(f"{place} was not tried: its name does not resolve")
    if source.connects is None:
        return warned(f"{place} was not tried: the host has neither bash nor nc")
    if not source.connects:
        return failed(f"{place} does not answer within 3 s")
    return passed(place)


def _and(words: list[str]) -> str:
    return " and ".join(words)
