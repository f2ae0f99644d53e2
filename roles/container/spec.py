"""A container as it is to run: every value decided, nothing left to a default of Docker's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from roles.container.options import Health
from roles.container.part import PartSpec
from roles.run.address import endpoint

PART_LABEL = "dockyard.part"
SPEC_LABEL = "dockyard.spec"
TO_BE_BUILT = "to be built"
"""The ID of an image that no host has yet."""
DIGEST_SIGNS = 12
SWAP_FACTOR = 2
"""What Docker makes of a memory limit where none is said for memory and swap together."""


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
    """`HOST_PATH:CONTAINER_PATH`, with `:ro` where it is read only."""
    user: str | None
    restart: str
    memory_mb: int | None
    pids: int | None
    stop_timeout_s: int
    told: frozenset[str] = frozenset()
    """The variables that Dockyard sets itself: their values may be shown, others may be secret."""
    image_id: str | None = None
    """`sha256:...`, or TO_BE_BUILT; None where it is not known, and then not compared."""
    entrypoint: str | None = None
    command: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    cap_drop: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    no_new_privileges: bool = False
    read_only: bool = False
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    cpus: float | None = None
    ulimits: Mapping[str, str] = field(default_factory=dict)
    health: Health | None = None
    log_driver: str = "json-file"
    log_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def memory_swap_mb(self) -> int | None:
        """How much memory and swap together."""
        return self.memory_mb * SWAP_FACTOR if self.memory_mb else None

    @property
    def applied(self) -> dict[str, Any]:
        """What is recorded on the container: JSON of every field.

        Of variables only a digest of each value, which may be secret.
        """
        return {
            "image": self.image,
            "image_id": None if self.image_id == TO_BE_BUILT else self.image_id,
            "entrypoint": None if self.entrypoint is None else [self.entrypoint],
            "command": None if self.command is None else list(self.command),
            "environment": {name: digest(value) for name, value in self.environment.items()},
            "labels": dict(self.labels),
            "networks": [self.network],
            "publish": sorted(self.publish),
            "volumes": sorted(self.volumes),
            "tmpfs": dict(self.tmpfs),
            "read_only": self.read_only,
            "user": self.user,
            "cap_drop": sorted(self.cap_drop),
            "cap_add": sorted(self.cap_add),
            "no_new_privileges": self.no_new_privileges,
            "privileged": False,
            "restart": self.restart,
            "memory_mb": self.memory_mb,
            "memory_swap_mb": self.memory_swap_mb,
            "cpus": self.cpus,
            "pids": self.pids,
            "ulimits": dict(self.ulimits),
            "health": None if self.health is None else self.health.applied,
            "log_driver": self.log_driver,
            "log_options": dict(self.log_options),
            "stop_timeout_s": self.stop_timeout_s,
        }

    @property
    def label(self) -> str:
        return json.dumps(self.applied, sort_keys=True)


def digest(value: str) -> str:
    """A short sign of a value by which it can be told from another, and not be read."""
    return sha256(value.encode()).hexdigest()[:DIGEST_SIGNS]


def resolve(
    role: str, part: PartSpec, image: str, address: str, environment: Mapping[str, str]
) -> ContainerSpec:
    """Decide every value of a part's container on the host with this address.

    The user's own variables win over `environment`, what Dockyard tells the part.
    """
    ports = part.ports if part.network != "host" else []
    return ContainerSpec(
        part=role,
        name=part.container,
        image=image,
        entrypoint=part.entrypoint,
        command=None if part.command is None else tuple(part.command),
        environment={**environment, **part.environment},
        told=frozenset(environment),
        labels=part.labels,
        network=part.network,
        publish=tuple(f"{endpoint(address, port)}:{inside}" for port, inside in ports),
        volumes=(*(f"{mount.host}:{mount.container}" for mount in part.mounts), *part.volumes),
        tmpfs=part.tmpfs,
        read_only=part.read_only,
        user=part.user,
        cap_drop=tuple(part.dropped),
        cap_add=tuple(part.cap_add),
        no_new_privileges=part.gains_no_privileges,
        restart=part.restart,
        memory_mb=part.memory_mb,
        cpus=part.cpus,
        pids=part.pids,
        ulimits=part.ulimits,
        health=part.health,
        log_driver=part.log_driver,
        log_options=part.bounded_log,
        stop_timeout_s=part.stop_timeout_s,
    )
