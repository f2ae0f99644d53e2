"""Containers as Docker 20.10.24 and 26.1.5 tell them, and the specs that they were made from."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from roles.container.options import Health
from roles.container.spec import ContainerSpec
from roles.observed import Container

DATA = Path(__file__).parent / "data"
RELEASES = ("docker-20.10.24", "docker-26.1.5")

PLAIN = ContainerSpec(
    part="soa_engine",
    name="plain",
    image="engine:1",
    environment={},
    network="bridge",
    publish=(),
    volumes=(),
    user=None,
    restart="unless-stopped",
    memory_mb=None,
    pids=None,
    stop_timeout_s=30,
)
"""Nothing but what always is said."""

FULL = ContainerSpec(
    part="soa_engine",
    name="full",
    image="engine:1",
    environment={
        "EXPORT_IP": "127.0.0.1",
        "TOKEN": "hush-1",
        "OLD": "x=y",
        "GREETING": "hi",
        "PATH": "/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    },
    told=frozenset({"EXPORT_IP", "EXPORT_PROT"}),
    network="backend",
    publish=("127.0.0.1:1080:1080", "127.0.0.1:1081:2080"),
    volumes=("/apps/logs/x:/usr/local/engine/logs", "/etc/ssl:/ssl:ro", "kept:/kept"),
    user="10081:10081",
    restart="on-failure:3",
    memory_mb=64,
    pids=64,
    stop_timeout_s=7,
    entrypoint="/bin/env",
    command=("WORD=a b", "sleep", "infinity"),
    labels={"team": "ops", "vendor": "else"},
    cap_drop=("NET_RAW", "MKNOD"),
    cap_add=("NET_ADMIN",),
    no_new_privileges=True,
    read_only=True,
    tmpfs={"/scratch": "size=16m,mode=1777", "/run": ""},
    cpus=0.5,
    ulimits={"nofile": "1024:2048", "core": "0:0"},
    health=Health(command="test -e /etc", interval_s=20, retries=2),
    log_driver="json-file",
    log_options={"max-size": "10m", "max-file": "3"},
)
"""All that can be said."""


def container(release: str, spec: ContainerSpec) -> Container:
    """The container that was made from a spec, as this Docker tells it; each time anew."""
    lines = (DATA / f"{release}.jsonl").read_text().splitlines()
    image, *inspects = map(json.loads, lines)
    (inspect,) = [found for found in inspects if found["Name"] == f"/{spec.name}"]
    inspect["Config"]["Labels"]["dockyard.spec"] = spec.label
    return Container(spec.name, spec.image, True, inspect, image["config"])


def edited(found: Container, changes: dict[str, Any]) -> Container:
    """The container as it were if Docker told these values, by path."""
    inspect = copy.deepcopy(dict(found.inspect or {}))
    for path, value in changes.items():
        *above, last = path.split(".")
        place = inspect
        for step in above:
            place = place[step]
        place[last] = value
    return replace(found, inspect=inspect)


def without_record(found: Container, field: str) -> Container:
    """The container whose label says nothing of a field, as one that was made before it was one."""
    label = json.loads(found.labels["dockyard.spec"])
    del label[field]
    labels = {**found.labels, "dockyard.spec": json.dumps(label)}
    return edited(found, {"Config.Labels": labels})
