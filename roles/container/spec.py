"""A container as it is to run: every value decided, nothing left to a default of Docker's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roles.container.part import PartSpec
from roles.run.address import endpoint

PART_LABEL = "dockyard.part"
SPEC_LABEL = "dockyard.spec"


@dataclass(frozen=True)
class ContainerSpec:
    part: str
    name: str
    image: str
    environment: Mapping[str, str]
    network: str
    publish: tuple[str, ...]
    """`ADDRESS:HOST_PORT:CONTAINER_PORT`; empty on the host's network."""
    volumes: tuple[str, ...]
    """`HOST_PATH:CONTAINER_PATH`."""
    user: str | None
    restart: str
    memory_mb: int | None
    pids: int | None
    stop_timeout_s: int
    told: frozenset[str] = frozenset()
    """The variables that Dockyard sets itself: their values may be shown, others may be secret."""

    @property
    def applied(self) -> dict[str, Any]:
        """What is recorded on the container. Of variables only the names: values may be secret."""
        return {
            "image": self.image,
            "environment": sorted(self.environment),
            "network": self.network,
            "publish": list(self.publish),
            "volumes": list(self.volumes),
            "user": self.user,
            "restart": self.restart,
            "memory_mb": self.memory_mb,
            "pids": self.pids,
            "stop_timeout_s": self.stop_timeout_s,
        }

    @property
    def label(self) -> str:
        return json.dumps(self.applied, sort_keys=True)


def resolve(
    role: str, part: PartSpec, image: str, address: str, environment: Mapping[str, str]
) -> ContainerSpec:
    """Decide every value of a part's container on the host with this address.

    The user's own variables win over `environment`, what Dockyard tells the part.
    """
    on_bridge = part.network == "bridge"
    return ContainerSpec(
        part=role,
        name=part.container,
        image=image,
        environment={**environment, **part.environment},
        told=frozenset(environment),
        network=part.network,
        publish=tuple(f"{endpoint(address, port)}:{inside}" for port, inside in part.ports)
        if on_bridge
        else (),
        volumes=tuple(f"{mount.host}:{mount.container}" for mount in part.mounts),
        user=part.user,
        restart=part.restart,
        memory_mb=part.memory_mb,
        pids=part.pids,
        stop_timeout_s=part.stop_timeout_s,
    )
