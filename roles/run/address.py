"""A host's real address: the one under which other hosts reach what its containers publish."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from roles.observed import Observed, Route

PRIVATE_INTERFACES = ("lo", "docker", "br-", "veth", "virbr", "cni")
"""Interfaces, by the start of their name, whose addresses no other host can reach."""


class NoAddress(Exception):
    """The real address can't be told; the text says what was found and what to do."""


def export_address(observed: Observed, wanted: str, towards: Iterable[IPv4Address]) -> IPv4Address:
    """Return the address that a host exports.

    `wanted` is `auto` or an address of the host. With `auto` it is the source address of the route
    towards the first of `towards` (the registry's addresses) that a route leads to from a public
    interface; where that does not say, the default route's.

    Raises:
        NoAddress: `wanted` is on no interface of the host, or no route says.
    """
    if wanted != "auto":
        if any(str(address.ip) == wanted for address in observed.addresses):
            return IPv4Address(wanted)
        raise NoAddress(
            f"{wanted} is on no interface of this host ({_listed(observed)}); "
            "name one of them, or 'auto'"
        )
    for target in (*towards, IPv4Address("0.0.0.0")):
        if _is_own(observed, target):
            return target
        route = _route(observed, target)
        source = _source(observed, route) if route else None
        if source:
            return source
    raise NoAddress(
        f"no route tells this host's address ({_listed(observed)}); set it to one of them"
    )


def is_private(interface: str) -> bool:
    return interface.startswith(PRIVATE_INTERFACES)


def _is_own(observed: Observed, target: IPv4Address) -> bool:
    return any(a.ip == target and not is_private(a.interface) for a in observed.addresses)


def _route(observed: Observed, target: IPv4Address) -> Route | None:
    fitting = [
        route for route in observed.routes if target in route.to and not is_private(route.interface)
    ]
    return min(fitting, key=lambda route: (-route.to.prefixlen, route.metric), default=None)


def _source(observed: Observed, route: Route) -> IPv4Address | None:
    if route.source:
        return route.source
    on_interface = [a.ip for a in observed.addresses if a.interface == route.interface]
    return on_interface[0] if on_interface else None


def _listed(observed: Observed) -> str:
    usable = [a for a in observed.addresses if not is_private(a.interface)]
    return ", ".join(f"{a.interface} {a.ip}" for a in usable) or "it has none"
