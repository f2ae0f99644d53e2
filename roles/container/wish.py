"""A sign of what is wished of a container: the same as long as nobody wishes otherwise. Pure.

Of what a host decides by itself (its address, the registry's, which of two ports has its turn, the
ID that an image got where it was built) nothing is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from roles.container.spec import DIGEST_SIGNS, digest
from roles.run.address import REGISTRY_VARIABLE

HOSTS_OWN = frozenset(
    {
        *(REGISTRY_VARIABLE, "EXPORT_IP", "EXPORT_NETWORK"),
        *("ZOO_MY_ID", "ZOO_ADDRESS", "ZOO_SERVERS"),
    }
)
"""The variables that Dockyard tells a container by what the hosts are. The others that it tells
(a port, a heap) are wished."""
PORTS = ("EXPORT_PORT", "EXPORT_PROT")


def wish_digest(applied: Mapping[str, Any], ports: Sequence[int]) -> str:
    """Return the sign of a container in the form of `ContainerSpec.applied`.

    `ports` are the part's ports of the host, of which several may take turns: all are read as the
    first. What is empty does not count: so a field that a later version adds changes no sign.
    """
    wished = {key: value for key, value in applied.items() if key != "image_id"}
    wished["environment"] = _environment(applied.get("environment") or {}, ports)
    wished["publish"] = sorted(_port(place, ports) for place in applied.get("publish") or ())
    said = {key: value for key, value in wished.items() if value not in (None, False, [], {})}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:DIGEST_SIGNS]


def _environment(found: Mapping[str, str], ports: Sequence[int]) -> dict[str, str]:
    """`found` holds digests of values."""
    turns = {digest(str(port)) for port in ports}
    wished = {name: value for name, value in found.items() if name not in HOSTS_OWN}
    taken = {name: digest(str(ports[0])) for name in PORTS if wished.get(name) in turns}
    return {**wished, **taken}


def _port(published: str, ports: Sequence[int]) -> str:
    """`ADDRESS:HOST_PORT:CONTAINER_PORT` without the address."""
    outside, inside = published.split(":")[-2:]
    return f"{ports[0] if outside in map(str, ports) else outside}:{inside}"
