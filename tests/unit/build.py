"""Builders of what the tests' tables compare: hosts as observed, members, fleets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as File
from typing import Any

from pyinfra.api import Config, Inventory, State
from pyinfra.connectors.local import LocalConnector

from roles.container.plan import Specify, directories
from roles.container.spec import ContainerSpec
from roles.images.plan import image_of
from roles.observed import (
    Address,
    Container,
    Disk,
    Fitness,
    Image,
    Newest,
    Observed,
    Path,
    Release,
    Releases,
    Route,
    Service,
    probe,
)
from roles.observed.fitness import FEATURES
from roles.proxy import plan as proxy
from roles.registry import data as data_dir
from roles.registry import ensemble
from roles.registry import plan as registry
from roles.run.current import remember
from roles.run.fleet import Fleet, Member
from roles.run.wanted import Wanted
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine

CONTEXT = str(File(__file__).parent / "context")
NUMBERS = {"app": 10, "registry": 30, "sdk": 50}
"""Host `app-1` has the address 198.18.0.11, `registry-2` 198.18.0.32."""

SPECIFY: dict[str, Specify] = {
    "registry": registry.container,
    "soa_engine": soa_engine.container,
    "proxy": proxy.container,
    "sdk": sdk.container,
}


def mount(name: str, kind: str = "logs") -> dict[str, str]:
    return {"host": f"/apps/{kind}/{name}", "container": f"/usr/local/{name}/{kind}"}


def data() -> dict[str, Any]:
    """What group_data may say of all four parts; anew for each call."""
    return {
        "registry": {
            "server": {
                "container": "zookeeper",
                "image": {"name": "zookeeper", "context": CONTEXT},
                "network": "host",
                "port": 2181,
                "user": "10080:10080",
                "logs": mount("zookeeper"),
                "data": mount("zookeeper", "data"),
            }
        },
        "soa_engine": {
            "container": "engine",
            "image": {"name": "engine", "context": CONTEXT},
            "port": 1080,
            "user": "10080:10080",
            "logs": mount("engine"),
        },
        "proxy": {
            "container": "proxy",
            "image": {"name": "proxy", "context": CONTEXT},
            "network": "host",
            "port": 2080,
            "logs": mount("proxy"),
            "status": {"port": 2081},
        },
        "sdk": {
            "container": "sdk",
            "image": {"name": "sdk", "context": CONTEXT},
            "network": "host",
            "logs": mount("sdk"),
        },
    }


def wanted(**changes: Any) -> Wanted:
    """All four parts, changed by `changes`: dicts key by key; a part that is None is left away."""
    changed = _changed(data(), changes)
    return Wanted.model_validate({key: value for key, value in changed.items() if value})


def address_of(name: str) -> IPv4Address:
    kind, _, number = name.rpartition("-")
    return IPv4Address("198.18.0.0") + NUMBERS[kind] + int(number)


NOW_S = 1_764_000_000.5
"""2025-11-24, by every host's clock."""
PARTS = ("zookeeper", "engine", "proxy", "sdk")
GIB = 1024 * 1024
"""In KiB."""


def disk(kind: str = "ext2/ext3", free_gib: float = 60, **changes: Any) -> Disk:
    free_kib = int(free_gib * GIB)
    whole = Disk("/", kind, 80 * GIB, free_kib, 5_000_000, 4_000_000)
    return replace(whole, **changes)


def fit(address: str | IPv4Address = "198.18.0.11", **changes: Any) -> Fitness:
    """A host on which nothing is in the way."""
    paths = ("/var/lib/docker", *(f"/apps/logs/{name}" for name in PARTS))
    good = Fitness(
        time_s=NOW_S,
        namespaces=frozenset({"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}),
        features=dict.fromkeys(FEATURES, "loadable"),
        sysctls={
            "net.ipv4.ip_forward": "1",
            "kernel.keys.root_maxkeys": "1000000",
            "user.max_user_namespaces": "96365",
        },
        has_seccomp=True,
        memory_kib=8 * GIB,
        available_kib=7 * GIB,
        name="app-1",
        name_addresses=(str(address),),
        disks={path: disk() for path in paths},
    )
    return replace(good, **changes)


def bare(address: str | IPv4Address = "198.18.0.11", **changes: Any) -> Observed:
    """A Debian 12 host that nothing was done to yet."""
    own = IPv4Address(address)
    host = Observed(
        user_id=0,
        kernel="6.1.0-40-amd64",
        architecture="x86_64",
        userland_bits=64,
        os_id="debian",
        os_version="12",
        os_like=(),
        os_codename="bookworm",
        init="systemd",
        cgroup_version=2,
        cgroup_controllers=frozenset({"cpu", "cpuset", "io", "memory", "pids"}),
        has_overlay=True,
        addresses=(
            Address("lo", IPv4Address("127.0.0.1"), 8),
            Address("eth0", own, 24),
        ),
        routes=(
            Route(IPv4Network("0.0.0.0/0"), "eth0", None, 0),
            Route(IPv4Network("198.18.0.0/24"), "eth0", own, 0),
        ),
        packages={},
        docker_service=Service(),
        fitness=fit(own),
        clock_skew_s=0.0,
    )
    return replace(host, **changes)


def fitted(address: str | IPv4Address = "198.18.0.11", **changes: Any) -> Observed:
    """A host whose Docker engine, Debian 12's own, runs and is held."""
    engine = {
        "packages": {"docker.io": "20.10.24+dfsg1-1", "containerd": "1.6.20", "runc": "1.1.5"},
        "held": frozenset({"docker.io", "containerd", "runc"}),
        "docker_service": Service(enabled=True, active=True),
        "docker_version": "20.10.24+dfsg1",
        "storage_driver": "overlay2",
    }
    return bare(address, **{**engine, **changes})


def member(
    name: str,
    groups: Iterable[str] = (),
    observed: Observed | None = None,
    in_limit: bool = True,
    **changes: Any,
) -> Member:
    """A host: `app-N` in the groups engine and proxy, `registry-N` and `sdk-N` in their own.

    `changes` are those of `wanted`.
    """
    kind = name.rpartition("-")[0]
    of_kind = ("engine", "proxy") if kind == "app" else (kind,)
    address = address_of(name)
    return Member(
        name=name,
        groups=frozenset(groups or of_kind),
        wanted=wanted(**changes),
        observed=observed or fitted(address),
        address=address,
        in_limit=in_limit,
    )


def fleet(*members: Member | str, unreachable: tuple[str, ...] = ()) -> Fleet:
    return Fleet(tuple(member(m) if isinstance(m, str) else m for m in members), unreachable)


def serving(found: Fleet) -> Fleet:
    """The fleet with everything on its hosts as is wanted of them."""
    members = ensemble.wanted_members(found)
    return replace(found, members=tuple(_serving(found, m, agreed(members)) for m in found))


def recorded(found: Fleet) -> Fleet:
    """The fleet with a record on each host of a release that it runs."""
    release = Release("2026-11-26T10:00:00Z", "ann@laptop", {})
    releases = Releases({release.name: release}, release.name)
    return replace(
        found,
        members=tuple(replace(m, observed=replace(m.observed, releases=releases)) for m in found),
    )


def agreed(members: Mapping[int, str], version: str = "100000000") -> Newest:
    """What ZooKeeper keeps of the members that it has agreed on."""
    places = {number: f"[{ip}]" if ":" in ip else ip for number, ip in members.items()}
    lines = [f"server.{number}={ip}:2888:3888:participant" for number, ip in places.items()]
    return Newest(version, tuple(lines))


def change(found: Fleet, name: str, **changes: Any) -> Fleet:
    """The fleet with one member's fields changed."""
    return replace(
        found, members=tuple(replace(m, **changes) if m.name == name else m for m in found)
    )


def look_again(found: Fleet, name: str, **changes: Any) -> Fleet:
    """The fleet with what is observed of one host changed."""
    return change(found, name, observed=replace(found[name].observed, **changes))


def image(tag: str, built: str = "once") -> Image:
    """An image; another `built` gives the same tag another ID."""
    content = sha256(f"{tag} {built}".encode()).hexdigest()
    return Image(f"sha256:{content}", (tag,), ("sha256:base",))


def running(spec: ContainerSpec, is_running: bool = True) -> Container:
    """The container that Docker shows once it was made from `spec`."""
    lines = [f"{name}={value}" for name, value in spec.environment.items()]
    inspect = {
        "Name": f"/{spec.name}",
        "Config": {
            "Env": [*lines, "PATH=/usr/bin"],
            "Labels": {"dockyard.part": spec.part, "dockyard.spec": spec.label},
        },
    }
    return Container(spec.name, spec.image, is_running, inspect)


def foreign(name: str) -> Container:
    """A container that somebody else made."""
    return Container(name, "nginx:1", True)


def local_state(
    *names: str,
    everywhere: Mapping[str, Any] | None = None,
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    groups: Mapping[str, Iterable[str]] | None = None,
) -> State:
    """pyinfra's state with connected hosts that all are this machine.

    `everywhere` is the data of all hosts, `hosts` what single ones say otherwise.
    """
    named = [(name, dict((hosts or {}).get(name, {}))) for name in names]
    grouped: dict[str, Any] = {
        group: (list(members), {}) for group, members in (groups or {}).items()
    }
    inventory = Inventory((named, dict(everywhere or {})), **grouped)
    for host in inventory:
        host.connector_cls = LocalConnector
    state = State(inventory, Config())
    for host in inventory:
        host.connected = True
        state.activate_host(host)
    return state


def as_read(state: State, name: str, observed: Observed) -> None:
    """Have a host read already, with this result."""
    host = state.inventory.get_host(name)
    host.connector_data[probe._MEMO] = (probe._moment(state, host), observed)


def state_of(found: Fleet) -> State:
    """pyinfra's state of a surveyed fleet."""
    state = local_state(*(m.name for m in found))
    for m in found:
        as_read(state, m.name, m.observed)
    remember(state, found)
    return state


def _serving(found: Fleet, one: Member, known: Newest) -> Member:
    paths: dict[str, Path] = {}
    newest: dict[str, Newest] = {}
    ids = ensemble.server_ids(found)
    first_lines: dict[str, str] = {}
    images, containers = [], []
    for role, part in one.parts.items():
        for directory in directories(part):
            paths[directory.path] = Path("directory", directory.owner, directory.mode)
        images.append(image(image_of(one, role)))
        containers.append(running(SPECIFY[role](found, one)))
    if one.name in ids:
        paths[data_dir.history_path(one)] = Path("directory", "10080:10080", "750")
        first_lines[data_dir.myid_path(one)] = str(ids[one.name])
        newest[data_dir.path(one, data_dir.AGREED)] = known
    observed = replace(
        one.observed,
        images=tuple(images),
        containers=tuple(containers),
        paths=paths,
        first_lines=first_lines,
        newest=newest,
    )
    return replace(one, observed=observed)


def _changed(below: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(below.get(key), dict)
        below[key] = _changed(below[key], value) if nested else value
    return below
