from __future__ import annotations

import json
from typing import Any

import pytest

from roles.container.part import PartSpec
from roles.container.spec import ContainerSpec, resolve
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


def test_the_label_tells_variables_by_name_alone() -> None:
    spec = resolved(environment={"PASSWORD": "secret"})
    applied = json.loads(spec.label)
    assert applied["environment"] == ["EXPORT_IP", "EXPORT_PORT", "PASSWORD"]
    assert "secret" not in spec.label
    assert ADDRESS not in json.dumps(applied["environment"])


def test_the_label_tells_everything_else() -> None:
    fields = set(ContainerSpec.__dataclass_fields__) - {"part", "name", "told"}
    assert set(resolved().applied) == fields


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_the_label_does_not_depend_on_the_order_of_variables(order: tuple[str, str]) -> None:
    spec = resolved(environment=dict.fromkeys(order, "x"))
    assert spec.label == resolved(environment={"A": "x", "B": "x"}).label
