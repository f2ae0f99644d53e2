from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest

from roles.container.plan import (
    Directory,
    container_change,
    container_changes,
    container_problems,
    directory_changes,
    part_changes,
    part_problems,
    verdict,
)
from roles.container.spec import ContainerSpec
from roles.observed import Container, Path
from roles.soa_engine.plan import container as engine_container
from tests.unit.build import (
    bare,
    change,
    fitted,
    fleet,
    foreign,
    image,
    look_again,
    member,
    running,
    serving,
)

SPEC = ContainerSpec(
    part="soa_engine",
    name="engine",
    image="engine:1",
    environment={"EXPORT_IP": "198.18.0.11", "GREETING": "hello"},
    network="bridge",
    publish=("198.18.0.11:1080:1080",),
    volumes=("/apps/logs/engine:/usr/local/engine/logs",),
    user="10080:10080",
    restart="unless-stopped",
    memory_mb=256,
    pids=128,
    stop_timeout_s=30,
    told=frozenset({"EXPORT_IP"}),
)


@pytest.mark.parametrize(
    "container, decided, why",
    [
        (None, "create", ""),
        (running(SPEC), "keep", ""),
        (running(SPEC, is_running=False), "start", ""),
        (running(replace(SPEC, image="engine:0")), "replace", "image: engine:0 -> engine:1"),
        (
            running(replace(SPEC, image="engine:0"), is_running=False),
            "replace",
            "image: engine:0 -> engine:1",
        ),
        (running(replace(SPEC, pids=64)), "update", "pids: 64 -> 128"),
        (running(replace(SPEC, pids=64), is_running=False), "replace", "pids: 64 -> 128"),
        (
            running(replace(SPEC, pids=64, memory_mb=None, restart="no", cpus=1)),
            "replace",
            "restart: no -> unless-stopped; memory_mb: none -> 256; memory_swap_mb: none -> 512; "
            "cpus: 1 -> none; pids: 64 -> 128",
        ),
        (
            running(replace(SPEC, pids=64, memory_mb=128, restart="no")),
            "update",
            "restart: no -> unless-stopped; memory_mb: 128 -> 256; memory_swap_mb: 256 -> 512; "
            "pids: 64 -> 128",
        ),
        (
            running(replace(SPEC, memory_mb=300)),
            "replace",
            "memory_mb: 300 -> 256; memory_swap_mb: 600 -> 512",
        ),
        (
            running(replace(SPEC, pids=64, user=None)),
            "replace",
            "user: none -> 10080:10080; pids: 64 -> 128",
        ),
    ],
)
def test_verdict(container: Container | None, decided: str, why: str) -> None:
    found, differences = verdict(SPEC, container)
    assert (found, "; ".join(map(str, differences))) == (decided, why)


@pytest.mark.parametrize(
    "version, field, decided",
    [
        ("20.10.24+dfsg1", "pids", "update"),
        ("19.03.15", "pids", "update"),
        ("18.09.1", "pids", "replace"),
        ("1.13.1", "pids", "replace"),
        ("1.13.1", "memory_mb", "update"),
        ("unheard-of", "pids", "update"),
        (None, "pids", "update"),
    ],
)
def test_what_an_engine_can_update(version: str | None, field: str, decided: str) -> None:
    before: Any = {field: 64}
    host = fitted(docker_version=version)
    assert verdict(SPEC, running(replace(SPEC, **before)), host)[0] == decided


@pytest.mark.parametrize(
    "controllers, decided",
    [
        ({"cpu", "memory", "pids"}, "update"),
        ({"cpu", "pids"}, "update"),
        ({"cpu"}, "keep"),
        (set(), "update"),
    ],
    ids=["both", "no-memory", "neither", "untold"],
)
def test_a_limit_that_the_kernel_has_not_is_no_difference(
    controllers: set[str], decided: str
) -> None:
    """Docker leaves it away with a warning: to ask for it again would change nothing, for ever."""
    host = fitted(cgroup_controllers=frozenset(controllers))
    found = running(replace(SPEC, memory_mb=None, pids=None))
    assert verdict(SPEC, found, host)[0] == decided
    assert verdict(SPEC, running(replace(SPEC, user=None)), host)[0] == "replace"


def test_a_container_without_a_record_of_its_making_is_replaced() -> None:
    container = Container("engine", "engine:1", True, {"Config": {"Env": None, "Labels": None}})
    assert verdict(SPEC, container)[0] == "replace"


@pytest.mark.parametrize(
    "container, text",
    [
        (None, "app-1: soa_engine: create container engine: absent"),
        (running(SPEC, False), "app-1: soa_engine: start container engine: stopped"),
        (
            running(replace(SPEC, pids=64)),
            "app-1: soa_engine: update container engine: pids: 64 -> 128",
        ),
        (
            running(replace(SPEC, pids=64, user=None)),
            "app-1: soa_engine: replace container engine: user: none -> 10080:10080; "
            "pids: 64 -> 128 (interrupts)",
        ),
    ],
    ids=["create", "start", "update", "replace"],
)
def test_only_a_replacement_interrupts(container: Container | None, text: str) -> None:
    containers = (container,) if container else ()
    assert str(container_change("app-1", SPEC, fitted(containers=containers))) == text


def test_a_container_as_wanted_needs_no_change() -> None:
    assert container_change("app-1", SPEC, fitted(containers=(running(SPEC),))) is None


@pytest.mark.parametrize(
    "names, text",
    [
        (("engine", "engine-before!"), "remove container engine-before: a run ended early"),
        (
            ("engine", "engine-next"),
            "remove container engine-next: a run ended early (interrupts)",
        ),
        (
            ("engine", "engine-before!", "engine-next!"),
            "remove container engine-next and remove container engine-before: a run ended early",
        ),
        (("engine-next",), "rename container engine-next: a run ended early"),
        (
            ("engine!", "engine-next"),
            "rename container engine-next and remove container engine: a run ended early",
        ),
        (
            ("engine-before!", "engine-next"),
            "rename container engine-next and remove container engine-before: a run ended early",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_run_has_left_is_tidied_up(names: tuple[str, ...], text: str) -> None:
    """A name that ends in `!` is of a container that is stopped."""
    made = [replace(running(SPEC, not n.endswith("!")), name=n.rstrip("!")) for n in names]
    found = container_change("app-1", SPEC, fitted(containers=tuple(made)))
    assert found and found.verdict == "tidy"
    assert str(found) == f"app-1: soa_engine: {text}"


def test_what_failed_is_left_to_be_looked_at() -> None:
    failed = replace(running(SPEC, is_running=False), name="engine-failed")
    assert container_change("app-1", SPEC, fitted(containers=(running(SPEC), failed))) is None


@pytest.mark.parametrize("name", ["engine", "engine-before", "engine-next", "engine-failed"])
def test_a_foreign_container_is_an_error_not_a_victim(name: str) -> None:
    """A replacement would rename or remove what stands under its names, too."""
    observed = fitted(containers=(foreign(name),))
    assert [str(problem) for problem in container_problems("app-1", SPEC, observed)] == [
        f"app-1: soa_engine.container: a container '{name}' (image nginx:1) exists that Dockyard "
        "did not make; remove or rename it, or set another name here"
    ]


@pytest.mark.parametrize(
    "containers, count",
    [
        ((), 0),
        ((running(SPEC),), 0),
        ((foreign("other"),), 0),
        ((running(replace(SPEC, part="proxy")),), 1),
    ],
    ids=["none", "ours", "foreign-of-another-name", "of-another-part"],
)
def test_whose_container_it_is(containers: tuple[Container, ...], count: int) -> None:
    assert len(container_problems("app-1", SPEC, fitted(containers=containers))) == count


@pytest.mark.parametrize(
    "found, difference",
    [
        (None, "absent"),
        (Path("directory", "10080:10080", "750"), None),
        (Path("directory", "0:0", "750"), "owner 0:0 -> 10080:10080"),
        (Path("directory", "10080:10080", "777"), "mode 777 -> 750"),
    ],
    ids=["absent", "as-wanted", "owner", "mode"],
)
def test_a_directory(found: Path | None, difference: str | None) -> None:
    observed = bare(paths={"/apps": found} if found else {})
    assert Directory("/apps", "10080:10080").difference(observed) == difference


def test_the_directories_of_a_part() -> None:
    part = member("registry-1").part("registry")
    assert part
    found = directory_changes("registry-1", "registry", part, bare())
    assert [(directory.path, directory.owner) for directory, _ in found] == [
        ("/apps/data/zookeeper", "10080:10080"),
        ("/apps/logs/zookeeper", "10080:10080"),
    ]
    assert str(found[0][1]) == "registry-1: registry: directory /apps/data/zookeeper: absent"


def test_the_directories_of_a_part_without_a_user_are_roots() -> None:
    part = member("app-1").part("proxy")
    assert part
    assert directory_changes("app-1", "proxy", part, bare())[0][0].owner == "0:0"


def test_the_changes_of_a_part_come_host_by_host() -> None:
    changes = part_changes(fleet("app-2", "registry-1", "app-1"), "soa_engine", engine_container)
    assert [(found.host, found.action) for found in changes] == [
        ("app-2", "directory /apps/logs/engine"),
        ("app-2", "create container engine"),
        ("app-1", "directory /apps/logs/engine"),
        ("app-1", "create container engine"),
    ]


def test_a_fleet_that_serves_needs_nothing() -> None:
    found = serving(fleet("app-1", "app-2", "registry-1"))
    assert part_changes(found, "soa_engine", engine_container) == []
    assert container_changes(found, "soa_engine", engine_container) == []


def test_hosts_outside_the_limit_are_not_changed() -> None:
    found = change(fleet("app-1", "app-2", "registry-1"), "app-1", in_limit=False)
    changes = part_changes(found, "soa_engine", engine_container)
    assert {c.host for c in changes} == {"app-2"}
    assert [m.name for m, _, _ in container_changes(found, "soa_engine", engine_container)] == [
        "app-2"
    ]


def test_hosts_outside_the_group_are_not_changed() -> None:
    found = fleet("app-1", member("app-2", groups=("proxy",)), "registry-1")
    assert {c.host for c in part_changes(found, "soa_engine", engine_container)} == {"app-1"}


def test_foreign_containers_are_told_of_every_host() -> None:
    found = fleet("app-1", "app-2", "registry-1")
    for name in ("app-1", "app-2"):
        found = look_again(found, name, containers=(foreign("engine"),))
    problems = part_problems(found, "soa_engine", engine_container)
    assert [problem.host for problem in problems] == ["app-1", "app-2"]


def test_the_image_that_the_host_will_have_is_wanted() -> None:
    """That of the first host that has it, which the others receive; before it has arrived, too."""
    found = serving(fleet("app-1", "app-2", "registry-1"))
    tag = found["app-2"].observed.containers[0].image
    changes = container_changes(found, "soa_engine", engine_container)
    assert changes == []

    container = found["app-2"].observed.containers[0]
    inspect = {**(container.inspect or {}), "Image": image(tag).id}
    other = {**(container.inspect or {}), "Image": image(tag, "twice").id}
    for made, expected in ((inspect, []), (other, ["app-2"])):
        looked = look_again(found, "app-2", containers=(replace(container, inspect=made),))
        changes = container_changes(looked, "soa_engine", engine_container)
        assert [member.name for member, _, _ in changes] == expected
    ((_, spec, change),) = changes
    ids = (image(tag, "twice").id[7:19], image(tag).id[7:19])
    assert change.why == "image ID: {} -> {}".format(*ids)
    assert spec.image_id == image(tag).id


def test_an_image_that_no_host_has_is_yet_to_be_built() -> None:
    found = serving(fleet("app-1", "registry-1"))
    container = found["app-1"].observed.containers[0]
    inspect = {**(container.inspect or {}), "Image": "sha256:gone"}
    looked = look_again(
        found, "app-1", containers=(replace(container, inspect=inspect),), images=()
    )
    ((_, _, change),) = container_changes(looked, "soa_engine", engine_container)
    assert change.why == "image: to be built"


@pytest.mark.parametrize("name", ["engine-before", "engine-next", "engine-failed"])
def test_what_a_rollout_has_put_aside_is_no_stranger(name: str) -> None:
    aside = replace(running(SPEC), name=name)
    assert container_problems("app-1", SPEC, fitted(containers=(aside,))) == []
    assert container_problems("app-1", SPEC, fitted(containers=(aside, running(SPEC)))) == []


def test_our_container_under_another_name_forbids_the_run() -> None:
    other = replace(running(SPEC), name="old-engine")
    aside = replace(running(SPEC), name="engine-before")
    observed = fitted(containers=(aside, other))
    assert [str(problem) for problem in container_problems("app-1", SPEC, observed)] == [
        "app-1: soa_engine.container: the container is to be 'engine', but runs as 'old-engine'; "
        "`docker rename old-engine engine` there stops nothing, or name that one here"
    ]


@pytest.mark.parametrize(
    "network, observed, count",
    [
        ("backend", fitted(networks=frozenset({"bridge", "backend"})), 0),
        ("backend", fitted(networks=frozenset({"bridge", "host"})), 1),
        ("bridge", fitted(networks=frozenset()), 0),
        ("host", bare(), 0),
        ("backend", bare(), 1),
        ("backend", fitted(networks=frozenset()), 0),
    ],
    ids=["there", "not-there", "bridge", "host", "no-engine-yet", "an-engine-that-tells-none"],
)
def test_a_network_must_exist(network: str, observed: Any, count: int) -> None:
    problems = container_problems("app-1", replace(SPEC, network=network), observed)
    assert len(problems) == count
    if problems:
        assert str(problems[0]) == (
            "app-1: soa_engine.network: there is no network 'backend' on this host; make it there "
            "(`docker network create backend`), or name another"
        )


@pytest.mark.parametrize(
    "observed, configured, engine, count",
    [
        (None, {}, {}, 1),
        ('{"ipv6": false}', {}, {}, 1),
        ("no JSON", {}, {}, 1),
        ('{"ipv6": true}', {}, {}, 0),
        (None, {"ipv6": True}, {}, 0),
        (None, {}, {"network": "host"}, 0),
    ],
    ids=["silent", "off", "broken", "found", "wanted", "on-the-hosts-network"],
)
def test_the_bridge_reaches_no_registry_of_ipv6(
    observed: str | None, configured: dict[str, Any], engine: dict[str, Any], count: int
) -> None:
    alone = member("app-1", docker_engine={"config": configured}, soa_engine=engine)
    by_ipv4 = look_again(fleet(alone, "registry-1"), "app-1", daemon_json=observed)
    found = change(by_ipv4, "registry-1", address=IPv6Address("2001:db8::31"))
    problems = part_problems(found, "soa_engine", engine_container)
    assert [str(problem) for problem in problems] == count * [
        "app-1: soa_engine.network: Docker's bridge has no IPv6, and the registry is "
        '[2001:db8::31]:2181; expected \'host\', or "ipv6" and "fixed-cidr-v6" in '
        "docker_engine.config"
    ]


def test_a_file_where_a_directory_is_wanted_forbids_the_run() -> None:
    logs = "/apps/logs/engine"
    found = look_again(
        fleet("app-1", "registry-1"), "app-1", paths={logs: Path("regular file", "0:0", "644")}
    )
    assert [str(p) for p in part_problems(found, "soa_engine", engine_container)] == [
        f"app-1: soa_engine: {logs}: expected a directory, found a regular file; move it away"
    ]
