from __future__ import annotations

from dataclasses import replace
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


def environment(**values: str | None) -> dict[str, str]:
    changed = {**SPEC.environment, **values}
    return {name: value for name, value in changed.items() if value is not None}


def with_lines(container: Container, *lines: str) -> Container:
    """The container with other variables than it was made with."""
    inspect: dict[str, Any] = dict(container.inspect or {})
    inspect["Config"] = {**inspect["Config"], "Env": list(lines)}
    return replace(container, inspect=inspect)


@pytest.mark.parametrize(
    "container, decided, why",
    [
        (None, "create", "absent"),
        (running(SPEC), "keep", "as wanted"),
        (running(SPEC, is_running=False), "start", "stopped"),
        (running(replace(SPEC, image="engine:0")), "replace", "image engine:0 -> engine:1"),
        (
            running(replace(SPEC, image="engine:0"), is_running=False),
            "replace",
            "image engine:0 -> engine:1",
        ),
    ],
    ids=["absent", "as-wanted", "stopped", "differs", "stopped-and-differs"],
)
def test_verdict(container: Container | None, decided: str, why: str) -> None:
    assert verdict(SPEC, container) == (decided, why)


@pytest.mark.parametrize(
    "before, why",
    [
        ({"image": "engine:0"}, "image engine:0 -> engine:1"),
        ({"network": "host"}, "network host -> bridge"),
        ({"publish": ()}, "publish none -> 198.18.0.11:1080:1080"),
        ({"publish": ("a:1:1", "a:2:2")}, "publish a:1:1,a:2:2 -> 198.18.0.11:1080:1080"),
        (
            {"volumes": ("/x:/y",)},
            "volumes /x:/y -> /apps/logs/engine:/usr/local/engine/logs",
        ),
        ({"user": None}, "user none -> 10080:10080"),
        ({"restart": "always"}, "restart always -> unless-stopped"),
        ({"memory_mb": None}, "memory_mb none -> 256"),
        ({"memory_mb": 128}, "memory_mb 128 -> 256"),
        ({"pids": 64}, "pids 64 -> 128"),
        ({"stop_timeout_s": 10}, "stop_timeout_s 10 -> 30"),
        ({"environment": environment(GREETING="hi")}, "environment GREETING changed"),
        ({"environment": environment(GREETING=None)}, "environment GREETING added"),
        ({"environment": environment(OLD="x")}, "environment OLD removed"),
        (
            {"environment": environment(C="3", A="1", B="2")},
            "environment A removed; environment B removed; environment C removed",
        ),
        ({"image": "engine:0", "pids": 64}, "image engine:0 -> engine:1; pids 64 -> 128"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_differs_is_told_in_words(before: dict[str, Any], why: str) -> None:
    assert verdict(SPEC, running(replace(SPEC, **before))) == ("replace", why)


def test_every_field_of_a_container_is_compared() -> None:
    fields = set(ContainerSpec.__dataclass_fields__) - {"part", "name", "told"}
    assert set(SPEC.applied) == fields


def test_a_variable_of_the_image_is_not_ours() -> None:
    assert verdict(SPEC, running(SPEC))[0] == "keep"  # it has a PATH


def test_a_variable_may_contain_an_equals_sign() -> None:
    spec = replace(SPEC, environment={"OPTIONS": "-Da=b -Dc=d"})
    assert verdict(spec, running(spec))[0] == "keep"


def test_variables_that_somebody_changed_by_hand_are_noticed() -> None:
    container = with_lines(running(SPEC), "EXPORT_IP=172.17.0.2", "GREETING=hello")
    assert verdict(SPEC, container) == (
        "replace",
        "environment EXPORT_IP 172.17.0.2 -> 198.18.0.11",
    )


def test_a_container_without_a_record_of_its_making_is_replaced() -> None:
    container = Container("engine", "engine:1", True, {"Config": {"Env": None, "Labels": None}})
    decided, why = verdict(SPEC, container)
    assert decided == "replace"
    assert "image none -> engine:1" in why


@pytest.mark.parametrize(
    "container, text",
    [
        (None, "app-1: soa_engine: create container engine: absent"),
        (running(SPEC, False), "app-1: soa_engine: start container engine: stopped"),
        (
            running(replace(SPEC, pids=64)),
            "app-1: soa_engine: replace container engine: pids 64 -> 128 (interrupts)",
        ),
    ],
    ids=["create", "start", "replace"],
)
def test_only_a_replacement_interrupts(container: Container | None, text: str) -> None:
    containers = (container,) if container else ()
    assert str(container_change("app-1", SPEC, fitted(containers=containers))) == text


def test_a_container_as_wanted_needs_no_change() -> None:
    assert container_change("app-1", SPEC, fitted(containers=(running(SPEC),))) is None


def test_a_foreign_container_is_an_error_not_a_victim() -> None:
    observed = fitted(containers=(foreign("engine"),))
    assert [str(problem) for problem in container_problems("app-1", SPEC, observed)] == [
        "app-1: soa_engine.container: a container 'engine' (image nginx:1) exists that Dockyard "
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


def test_a_value_that_may_be_secret_is_shown_to_nobody() -> None:
    before = {"DB_PASSWORD": "old", "ACCESS_TOKEN": "gone"}
    spec = replace(SPEC, environment={"DB_PASSWORD": "new"})
    _, why = verdict(spec, running(replace(SPEC, environment=before)))
    assert why == "environment ACCESS_TOKEN removed; environment DB_PASSWORD changed"


def test_a_record_that_can_not_be_read_is_made_anew() -> None:
    container = running(SPEC)
    assert container.inspect
    container.inspect["Config"]["Labels"]["dockyard.spec"] = "{"
    assert verdict(SPEC, container) == ("replace", "its label dockyard.spec can't be read")


def test_a_file_where_a_directory_is_wanted_forbids_the_run() -> None:
    logs = "/apps/logs/engine"
    found = look_again(
        fleet("app-1", "registry-1"), "app-1", paths={logs: Path("regular file", "0:0", "644")}
    )
    assert [str(p) for p in part_problems(found, "soa_engine", engine_container)] == [
        f"app-1: soa_engine: {logs}: expected a directory, found a regular file; move it away"
    ]
