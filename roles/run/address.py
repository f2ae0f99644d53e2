"""A host's real address: the one under which other hosts reach what its containers publish."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from roles.observed import Address, IpAddress, IpNetwork, Observed, Route

REGISTRY_VARIABLE = "VIP_CFGCENTER_ZK_CONNECTION"
"""The variable that tells a container of every registry server: `host:port,host:port,...`."""

_PRIVATE = re.compile(r"lo|docker.*|br-[0-9a-f]{12}|veth.*|virbr\d+|cni\d+")
"""Interfaces whose addresses no other host can reach; Docker's bridges are `br-` and 12 digits."""

_PASSING = ("dadfailed", "deprecated", "temporary")
"""Flags of addresses that a host gives up by itself, or can't use."""

_INTERFACE = re.compile(r"(?![\d.]+$)[^\s/:\\|]{1,15}")
"""What Linux takes as an interface's name; a mistyped address is none."""


class NoAddress(Exception):
    """The real address can't be told; the text says what was found and what to do."""


def endpoint(address: IpAddress | str, port: int | str) -> str:
    """Join a host and a port: `198.18.1.2:1080`, `[2001:db8::1]:1080`, `zk-1:2181`."""
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def split_endpoint(text: str) -> tuple[str, int]:
    """Take `HOST:PORT` apart; an address of IPv6 loses its brackets.

    Raises:
        ValueError: there is no port.
    """
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def split_endpoints(connection: str | None) -> list[tuple[str, int]]:
    """Take `HOST:PORT,HOST:PORT,...` apart; none in None."""
    return [split_endpoint(place) for place in (connection or "").split(",") if place]


def by_family(address: IpAddress) -> tuple[int, int]:
    """A key to sort by: IPv4 first, then by number (Python compares no two families)."""
    return address.version, int(address)


def wish(value: str) -> IpAddress | IpNetwork | str:
    """Read what `export_ip` may say: an address, a network, or the name of an interface, or `auto`.

    Raises:
        ValueError: it is none of these, or an address that no other host can reach.
    """
    try:
        asked = ip_network(value) if "/" in value else ip_address(value)
    except ValueError:
        if "/" in value:
            raise ValueError(_not_a_network(value)) from None
        if not _INTERFACE.fullmatch(value):
            raise ValueError(
                "expected 'auto', an address, the name of an interface, or a network such as "
                f"'10.1.0.0/16', found '{value}'"
            ) from None
        return value
    if isinstance(asked, IPv4Address | IPv6Address) and not _is_reachable(asked):
        mapped = asked.ipv4_mapped if isinstance(asked, IPv6Address) else None
        hint = f"; write {mapped}" if mapped else ""
        raise ValueError(f"expected an address that other hosts reach, found '{value}'{hint}")
    return asked


def is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def export_address(
    observed: Observed, wanted: str, towards: Iterable[IpAddress], *, nat: bool = False
) -> IpAddress:
    """Return the address that a host exports.

    `towards` are the registry's addresses. `wanted` is one of
    - `auto`: the source of the route towards the first of `towards` that a route leads to from a
      public interface; where none does, the source of the default route, of IPv4 before IPv6;
    - an address of the host, or with `nat` any (a router passes on what is sent there);
    - the name of an interface: its address. Where it has both families, that of the registry's
      addresses counts, or IPv4 where the registry has both or is not known;
    - a network, `10.1.0.0/16`: the host's address within.

    Docker's bridges, link-local addresses, and those that are temporary or deprecated never count.

    Raises:
        NoAddress: `wanted` leads to no address, or to several.
    """
    targets = list(towards)
    asked = wish(wanted)
    if wanted == "auto":
        return _by_route(observed, [*targets, IPv4Address(0), IPv6Address(0)])
    if isinstance(asked, IPv4Address | IPv6Address):
        return _literal(observed, asked, nat)
    if isinstance(asked, str):
        return _on_interface(observed, asked, _family(targets))
    within = [a for a in _candidates(observed) if a.ip in asked]
    if not within:
        raise NoAddress(
            f"no address of this host is in {asked} ({_listed(observed)}); name another network, "
            "or 'auto'"
        )
    return _single(within, f"in {asked}")


def own_address(observed: Observed, exported: IpAddress, towards: Iterable[IpAddress]) -> IpAddress:
    """Return the address of its own that a host is reached by under the exported one.

    It is the same, but for one that is on no interface: then that of the route towards the
    registry, or else of the default route, or else the only one; of the exported one's family.

    Raises:
        NoAddress: none of these tells.
    """
    candidates = [a for a in _candidates(observed) if a.ip.version == exported.version]
    if any(a.ip == exported for a in candidates):
        return exported
    anywhere = IPv4Address(0) if exported.version == 4 else IPv6Address(0)
    alike = [target for target in towards if target.version == exported.version]
    try:
        return _by_route(observed, [*alike, anywhere])
    except NoAddress as error:
        if len(candidates) == 1:
            return candidates[0].ip
        found = _named(candidates) or "it has none of that family"
        raise NoAddress(
            f"to which address of this host a router translates {exported} can't be told ({found});"
            " have a route towards the registry, or a default route, tell it"
        ) from error


def public_addresses(observed: Observed) -> list[Address]:
    """Return the addresses under which other hosts may reach this one."""
    return [a for a in observed.addresses if not is_private(a.interface) and not _is_near(a.ip)]


def is_private(interface: str) -> bool:
    return bool(_PRIVATE.fullmatch(interface))


def _is_reachable(ip: IpAddress) -> bool:
    if isinstance(ip, IPv6Address) and (ip.ipv4_mapped or ip.scope_id):
        return False
    return not (_is_near(ip) or ip.is_unspecified or ip.is_multicast)


def _not_a_network(value: str) -> str:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return f"expected a network such as '10.1.0.0/16', found '{value}'"
    alone = value.partition("/")[0]
    return f"expected the network '{network}' or the address '{alone}', found '{value}'"


def _is_near(ip: IpAddress) -> bool:
    """Whether an address means something on one host, or on one link, alone."""
    return ip.is_link_local or ip.is_loopback


def _candidates(observed: Observed) -> list[Address]:
    return [a for a in public_addresses(observed) if not a.flags.intersection(_PASSING)]


def _family(targets: list[IpAddress]) -> int:
    return 6 if {target.version for target in targets} == {6} else 4


def _literal(observed: Observed, asked: IpAddress, nat: bool) -> IpAddress:
    if any(a.ip == asked for a in _candidates(observed)):
        return asked
    own = next((a for a in observed.addresses if a.ip == asked), None)
    if own and is_private(own.interface):
        raise NoAddress(
            f"{asked} is on {own.interface}, which no other host can reach; "
            f"name another ({_listed(observed)}), or 'auto'"
        )
    if own:
        flags = " and ".join(sorted(own.flags.intersection(_PASSING)))
        raise NoAddress(
            f"{asked} is on {own.interface}, but {flags}: this host may give it up; "
            f"name another ({_listed(observed)}), or 'auto'"
        )
    if nat:
        return asked
    raise NoAddress(
        f"{asked} is on no interface of this host ({_listed(observed)}); "
        "name one of them, or 'auto', or set export_ip_nat: true where a router translates it"
    )


def _on_interface(observed: Observed, name: str, family: int) -> IpAddress:
    if is_private(name):
        raise NoAddress(
            f"{name} is an interface that no other host can reach; "
            f"name another ({_listed(observed)}), or 'auto'"
        )
    there = [a for a in _candidates(observed) if a.interface == name]
    if not there:
        known = any(a.interface == name for a in observed.addresses)
        what = "has no address that can be exported" if known else "is no interface with an address"
        raise NoAddress(
            f"{name} {what} on this host ({_listed(observed)}); name another, or 'auto'"
        )
    return _single([a for a in there if a.ip.version == family] or there, f"on {name}")


def _single(found: list[Address], where: str) -> IpAddress:
    if len({a.ip for a in found}) > 1:
        raise NoAddress(
            f"this host has several addresses {where} ({_named(found)}); set export_ip to one"
        )
    return found[0].ip


def _by_route(observed: Observed, targets: list[IpAddress]) -> IpAddress:
    for target in targets:
        if any(a.ip == target for a in _candidates(observed)):
            return target
        routes = _routes(observed, target)
        sources = [s for route in routes for s in _sources(observed, route, target)]
        if len(set(sources)) > 1:
            to = "elsewhere" if target.is_unspecified else f"to {target}"
            listed = ", ".join(map(str, dict.fromkeys(sources)))
            raise NoAddress(
                f"this host may send {to} from several addresses ({listed}); set export_ip to one"
            )
        if sources:
            return sources[0]
    raise NoAddress(
        f"no route tells this host's address ({_listed(observed)}); set it to one of them"
    )


def _routes(observed: Observed, target: IpAddress) -> list[Route]:
    """The routes towards an address that the kernel would take; several where they are equal."""

    def rank(route: Route) -> tuple[int, int]:
        return -route.to.prefixlen, route.metric

    fitting = [r for r in observed.routes if target in r.to and not is_private(r.interface)]
    return [route for route in fitting if rank(route) == min(map(rank, fitting))]


def _sources(observed: Observed, route: Route, target: IpAddress) -> list[IpAddress]:
    """What the kernel may send from on a route: its `src`, or an address of its interface.

    Of IPv4 the first that shares a network with the next hop, or else the first (Linux:
    `inet_select_addr`). Of IPv6 those that are most like the target (RFC 6724, section 5, rule 8).
    """
    if route.source:
        return [route.source]
    there = [
        a
        for a in _candidates(observed)
        if a.interface == route.interface and a.ip.version == route.to.version
    ]
    if route.to.version == 4:
        hop = route.via or target
        near = [a for a in there if hop in ip_network((a.ip, a.prefix), strict=False)]
        return [a.ip for a in (near or there)[:1]]
    if target.is_unspecified:
        return [a.ip for a in there]
    most = max((_common_bits(a, target) for a in there), default=0)
    return [a.ip for a in there if _common_bits(a, target) == most]


def _common_bits(address: Address, target: IpAddress) -> int:
    different = int(address.ip) ^ int(target)
    return min(address.prefix, target.max_prefixlen - different.bit_length())


def _listed(observed: Observed) -> str:
    return _named(_candidates(observed)) or "it has none"


def _named(addresses: Iterable[Address]) -> str:
    return ", ".join(f"{a.interface} {a.ip}" for a in addresses)
