"""What makes another sign of a wish, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from roles.container.spec import ContainerSpec
from roles.container.wish import wish_digest
from roles.registry.plan import container as server
from roles.soa_engine.plan import container
from tests.unit.build import address_of, change, fleet, member, sdk

PORTS = (1080, 1081)


def engine(**changes: Any) -> ContainerSpec:
    found = fleet(member("app-1", soa_engine=changes), "app-2", "registry-1")
    return container(found, found["app-1"])


def sign(spec: ContainerSpec, *ports: int) -> str:
    return wish_digest(spec.applied, ports or PORTS)


def with_variable(spec: ContainerSpec, name: str, value: str) -> ContainerSpec:
    return replace(spec, environment={**spec.environment, name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"ROUND": "2"}},
        {"memory_mb": 512},
        {"pids": 64},
        {"command": ["serve"]},
        {"user": "1:1"},
        {"port": 1090},
        {"container_port": 8080},
        {"read_only": True},
        {"labels": {"team": "blue"}},
        {"health": "none"},
        {"volumes": ["/a:/b"]},
        {"stop_timeout_s": 7},
        {"image": {"name": "another"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_wish_has_another_sign(changes: dict[str, Any]) -> None:
    assert sign(engine(**changes)) != sign(engine())


def test_what_a_host_decides_by_itself_does_not_count() -> None:
    spec = engine()
    others = [
        replace(spec, image_id="sha256:built-again"),
        replace(spec, publish=("[2001:db8::1]:1080:1080",)),
        replace(spec, publish=("198.18.0.11:1081:1080",)),
        *(
            with_variable(spec, name, value)
            for name, value in {
                "VIP_CFGCENTER_ZK_CONNECTION": "elsewhere:2181",
                "EXPORT_IP": "198.18.0.99",
                "EXPORT_PORT": "1081",
                "EXPORT_PROT": "1081",
                "EXPORT_NETWORK": "host",
            }.items()
        ),
    ]
    assert {sign(other) for other in others} == {sign(spec)}


def test_a_port_that_takes_no_turns_counts() -> None:
    spec = engine()
    assert sign(replace(spec, publish=("198.18.0.11:1090:1080",))) != sign(spec)
    assert sign(with_variable(spec, "EXPORT_PORT", "1090")) != sign(spec)


def test_the_sign_is_the_same_on_every_host() -> None:
    found = fleet("app-1", "app-2", "registry-1", "registry-2")
    found = change(found, "app-2", address=address_of("app-7"))
    assert len({sign(container(found, found[name])) for name in ("app-1", "app-2")}) == 1


def test_a_heap_that_is_told_in_a_variable_counts() -> None:
    def of(heap_mb: int) -> str:
        found = fleet(member("registry-1", registry={"server": {"heap_mb": heap_mb}}))
        return sign(server(found, found["registry-1"]), 2181)

    assert of(256) != of(512)


def test_a_label_has_the_sign_of_its_spec() -> None:
    spec = engine(environment={"A": "1"}, cpus=1.5, tmpfs={"/tmp": "size=1m"})
    assert wish_digest(json.loads(spec.label), PORTS) == sign(spec)


def test_a_field_that_a_later_version_adds_changes_no_sign() -> None:
    applied = engine().applied
    later = {**applied, "devices": [], "init": False, "hostname": None}
    assert wish_digest(later, PORTS) == wish_digest(applied, PORTS)
    assert wish_digest({**applied, "init": True}, PORTS) != wish_digest(applied, PORTS)


def test_a_part_without_ports_has_a_sign() -> None:
    found = fleet("sdk-1", "registry-1")
    assert wish_digest(sdk.container(found, found["sdk-1"]).applied, ())
