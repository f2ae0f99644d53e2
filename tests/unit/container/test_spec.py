from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from roles.container.options import Health
from roles.container.part import PartSpec
from roles.container.spec import TO_BE_BUILT, ContainerSpec, resolve
from tests.unit.build import wanted

ADDRESS = "198.18.0.11"
TOLD = {"EXPORT_IP": ADDRESS, "EXPORT_PORT": "1080"}


def resolved(role: str = "soa_engine", **changes: Any) -> ContainerSpec:
    part: PartSpec | None = wanted(**{role: changes}).part(role)
    assert part
    return resolve(role, part, f"{role}:1", ADDRESS, TOLD)


def test_every_value_is_decided() -> None:
    assert resolved(memory_mb=256, pids=64, restart="always", stop_timeout_s=40) == ContainerSpec(
        part="soa_engine",
        name="engine",
        image="soa_engine:1",
        environment=TOLD,
        network="bridge",
        publish=("198.18.0.11:1080:1080",),
        volumes=("/apps/logs/engine:/usr/local/engine/logs",),
        user="10080:10080",
        restart="always",
        memory_mb=256,
        pids=64,
        stop_timeout_s=40,
        told=frozenset(TOLD),
        cap_drop=("ALL",),
        no_new_privileges=True,
        log_options={"max-size": "10m", "max-file": "3"},
    )


def test_nothing_is_published_on_the_hosts_own_network() -> None:
    assert resolved("proxy").publish == ()


def test_every_port_is_published_on_the_bridge() -> None:
    assert resolved("proxy", network="bridge").publish == (
        "198.18.0.11:2080:2080",
        "198.18.0.11:2081:2081",
    )


def test_every_directory_is_mounted() -> None:
    data = {"host": "/apps/data/proxy", "container": "/data"}
    assert resolved("proxy", data=data).volumes == (
        "/apps/logs/proxy:/usr/local/proxy/logs",
        "/apps/data/proxy:/data",
    )


def test_the_users_variables_win() -> None:
    environment = {"EXPORT_IP": "203.0.113.5", "GREETING": "hello"}
    assert resolved(environment=environment).environment == {
        "EXPORT_IP": "203.0.113.5",
        "EXPORT_PORT": "1080",
        "GREETING": "hello",
    }


def test_every_value_that_is_said() -> None:
    spec = resolved(
        entrypoint="/bin/env",
        command=["sleep", "9"],
        labels={"team": "ops"},
        network="backend",
        volumes=["/etc/ssl:/ssl:ro"],
        cap_drop=["NET_RAW"],
        cap_add=["CAP_NET_ADMIN"],
        no_new_privileges=False,
        read_only=True,
        tmpfs={"/tmp": "size=16m"},
        cpus=1,
        ulimits={"nofile": "1024"},
        health={"command": "true", "retries": 2},
        log_driver="journald",
        restart="on-failure:3",
    )
    logs = "/apps/logs/engine:/usr/local/engine/logs"
    assert (spec.entrypoint, spec.command) == ("/bin/env", ("sleep", "9"))
    assert (spec.labels, spec.network, spec.restart) == ({"team": "ops"}, "backend", "on-failure:3")
    assert spec.publish == ("198.18.0.11:1080:1080",)
    assert spec.volumes == (logs, "/etc/ssl:/ssl:ro")
    assert (spec.cap_drop, spec.cap_add) == (("NET_RAW",), ("NET_ADMIN",))
    assert (spec.no_new_privileges, spec.read_only) == (False, True)
    assert (spec.tmpfs, spec.cpus) == ({"/tmp": "size=16m"}, 1)
    assert spec.ulimits == {"nofile": "1024:1024"}
    assert spec.health == Health(command="true", retries=2)
    assert (spec.log_driver, spec.log_options) == ("journald", {})


def test_without_a_user_nothing_is_dropped() -> None:
    spec = resolved("proxy")
    assert (spec.user, spec.cap_drop, spec.no_new_privileges) == (None, (), False)


def test_an_address_of_ipv6_is_published_in_brackets() -> None:
    part = wanted().part("soa_engine")
    assert part
    assert resolve("soa_engine", part, "a:1", "2001:db8::1", {}).publish == (
        "[2001:db8::1]:1080:1080",
    )


def test_the_label_tells_no_value_of_a_variable() -> None:
    spec = resolved(environment={"PASSWORD": "secret"})
    applied = json.loads(spec.label)
    assert set(applied["environment"]) == {"EXPORT_IP", "EXPORT_PORT", "PASSWORD"}
    assert "secret" not in spec.label
    assert ADDRESS not in json.dumps(applied["environment"])
    other = json.loads(resolved(environment={"PASSWORD": "other"}).label)
    assert other["environment"]["PASSWORD"] != applied["environment"]["PASSWORD"]


def test_the_label_tells_everything_else() -> None:
    fields = set(ContainerSpec.__dataclass_fields__) - {"part", "name", "told", "network"}
    assert set(resolved().applied) - fields == {"networks", "privileged", "memory_swap_mb"}
    assert fields - set(resolved().applied) == set()


def test_an_image_that_is_to_be_built_is_not_recorded() -> None:
    spec = resolved()
    assert replace(spec, image_id="sha256:a").applied["image_id"] == "sha256:a"
    assert replace(spec, image_id=TO_BE_BUILT).applied["image_id"] is None


@pytest.mark.parametrize(
    "field, value, text",
    [
        ("network", "none", "expected 'bridge', 'host', or the name of a network of the host"),
        ("network", "container:x", "expected 'bridge', 'host', or the name of a network"),
        ("network", "--x", "expected 'bridge', 'host', or the name of a network of the host"),
        ("container", "x", "expected letters, digits, '_', '.' and '-', at least two"),
        ("container", "a/b", "expected letters, digits, '_', '.' and '-', at least two"),
        ("restart", "on-failure:0", "expected 'no', 'always', 'unless-stopped', 'on-failure' or"),
        ("restart", "always:3", "expected 'no', 'always', 'unless-stopped', 'on-failure' or"),
        ("entrypoint", "-x", "expected a program that does not start with '-', found '-x'"),
        ("entrypoint", "", "expected a program that does not start with '-', found ''"),
        ("command", [], "at least 1 item"),
        ("command", ["a\nb"], "expected printable signs alone"),
        ("labels", {"dockyard.part": "x"}, "labels that start with 'dockyard.' are Dockyard's own"),
        ("labels", {"a b": "x"}, "'a b' is no name of a label"),
        ("labels", {"a": "x\n"}, "expected printable signs alone"),
        ("volumes", ["/a"], "expected 'HOST_PATH:CONTAINER_PATH' or 'VOLUME_NAME:CONTAINER_PATH'"),
        ("volumes", ["/a:/b:zz"], "expected 'HOST_PATH:CONTAINER_PATH'"),
        ("volumes", ["-v:/b"], "expected 'HOST_PATH:CONTAINER_PATH'"),
        ("volumes", ["/a:b"], "expected absolute paths without '..', found '/a:b'"),
        ("volumes", ["/a/../b:/b"], "expected absolute paths without '..'"),
        ("volumes", ["/a:/usr/local/engine/logs"], "mounted more than once in the container"),
        ("tmpfs", {"/ssl": "size=1 m"}, "/ssl: expected options as 'size=16m,mode=1777' or ''"),
        ("tmpfs", {"tmp": ""}, "expected an absolute path"),
        ("cap_add", ["net_admin"], "expected a capability as 'NET_BIND_SERVICE', or 'ALL'"),
        ("cap_drop", ["--x"], "expected a capability as 'NET_BIND_SERVICE', or 'ALL'"),
        ("cpus", 0.0001, "greater than or equal to 0.01"),
        ("cpus", 0.12345, "expected at most 3 decimals, found 0.12345"),
        ("ulimits", {"files": "1"}, "'files' is no ulimit; expected one of: core, cpu, data"),
        ("ulimits", {"nofile": "many"}, "nofile: expected 'SOFT:HARD' or one number, found 'many'"),
        ("ulimits", {"nofile": "2:1"}, "nofile: the soft limit is above the hard one, found '2:1'"),
        ("ulimits", {"nofile": "-1:1"}, "nofile: the soft limit is above the hard one"),
        ("health", "off", "expected 'none', or a dict with a 'command', found 'off'"),
        ("health", {"command": ""}, "at least 1 character"),
        ("health", {"command": "x", "retries": 0}, "greater than or equal to 1"),
        ("health", {"command": "x", "start_period_s": 0}, "greater than or equal to 1"),
        ("log_driver", "-x", "expected the name of a log driver, found '-x'"),
        ("log_options", {"-x": "1"}, "'-x' is no name of a log option"),
        ("log_options", {"splunk-token": "x"}, "found 'splunk-token', which would stand in the"),
    ],
)
def test_what_docker_would_not_take_is_refused(field: str, value: Any, text: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(text)):
        wanted(soa_engine={field: value})


@pytest.mark.parametrize(
    "given, volume",
    [
        ("/a/:/b/", "/a:/b"),
        ("/a:/b:rw", "/a:/b"),
        ("/a:/b:ro", "/a:/b:ro"),
        ("kept:/kept", "kept:/kept"),
        ("/:/host:ro", "/:/host:ro"),
    ],
)
def test_a_volume_is_said_in_one_way(given: str, volume: str) -> None:
    assert resolved(volumes=[given]).volumes[1] == volume


@pytest.mark.parametrize("value", ["none", {"command": "none"}])
def test_no_health_check(value: Any) -> None:
    assert resolved(health=value).applied["health"] == "none"


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_the_label_does_not_depend_on_the_order_of_variables(order: tuple[str, str]) -> None:
    spec = resolved(environment=dict.fromkeys(order, "x"))
    assert spec.label == resolved(environment={"A": "x", "B": "x"}).label
