"""A host's real address: the one under which other hosts reach what its containers publish."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from roles.observed import Observed, Route

_PRIVATE = re.compile(r"lo|docker.*|br-[0-9a-f]{12}|veth.*|virbr\d+|cni\d+")
"""Interfaces whose addresses no other host can reach; Docker's bridges are `br-` and 12 digits."""


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
        own = [a.interface for a in observed.addresses if str(a.ip) == wanted]
        if any(not is_private(interface) for interface in own):
            return IPv4Address(wanted)
        if own:
            raise NoAddress(
                f"{wanted} is on {own[0]}, which no other host can reach; "
                f"name another ({_listed(observed)}), or 'auto'"
            )
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
    return bool(_PRIVATE.fullmatch(interface))


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


def endpoint(address: IPv4Address | IPv6Address | str, port: int) -> str:
    """`198.18.1.2:1080`, or `[2001:db8::1]:1080`."""
    found = ip_address(address)
    return f"[{found}]:{port}" if found.version == 6 else f"{found}:{port}"
