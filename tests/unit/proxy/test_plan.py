from __future__ import annotations

import pytest

from roles.container.instance import Instance
from roles.proxy.plan import check, container, name_of, plan, successor
from tests.unit.build import fleet, foreign, look_again, member, serving

FLEET = fleet("app-1", "app-2", "registry-2", "registry-1")


def test_what_a_proxy_is_told() -> None:
    spec = container(FLEET, FLEET["app-2"])
    assert name_of(FLEET["app-2"], Instance.of(spec)) == "198.18.0.12:2080"
    assert spec.environment == {
        "VIP_CFGCENTER_ZK_CONNECTION": "198.18.0.31:2181,198.18.0.32:2181",
        "EXPORT_IP": "198.18.0.12",
        "EXPORT_PORT": "2080",
        "EXPORT_NETWORK": "host",
        "OSP_STATUS_PORT": "2081",
    }
    assert (spec.part, spec.name) == ("proxy", "proxy")
    assert (spec.network, spec.publish) == ("host", ())
    assert spec.volumes == ("/apps/logs/proxy:/usr/local/proxy/logs",)


def test_a_proxy_that_tells_no_state_is_told_no_port_for_it() -> None:
    found = fleet(member("app-1", proxy={"status": None}), "registry-1")
    assert "OSP_STATUS_PORT" not in container(found, found["app-1"]).environment


def test_where_the_last_known_engines_survive() -> None:
    data = {"host": "/apps/data/proxy", "container": "/data"}
    found = fleet(member("app-1", proxy={"data": data}), "registry-1")
    assert "/apps/data/proxy:/data" in container(found, found["app-1"]).volumes


def test_the_users_variables_are_told() -> None:
    found = fleet(member("app-1", proxy={"environment": {"OSP_RETRIES": "2"}}), "registry-1")
    assert container(found, found["app-1"]).environment["OSP_RETRIES"] == "2"


@pytest.mark.parametrize(
    "told, name",
    [
        ({}, "198.18.0.11:2080"),
        ({"EXPORT_PORT": "2090"}, "198.18.0.11:2090"),
        ({"EXPORT_IP": "2001:db8::9"}, "[2001:db8::9]:2080"),
    ],
    ids=["nothing", "port", "address"],
)
def test_a_proxy_is_named_as_its_container_was_told(told: dict[str, str], name: str) -> None:
    assert name_of(FLEET["app-1"], Instance("proxy", told)) == name


def test_only_a_proxy_that_hands_its_listeners_over_has_a_successor() -> None:
    data = {"host": "/apps/data/proxy", "container": "/data"}
    found = fleet(member("app-1", proxy={"handover": True, "data": data}), "registry-1")
    assert successor(found, found["app-1"]) == container(found, found["app-1"])
    assert successor(FLEET, FLEET["app-1"]) is None


def test_proxies_as_wanted_are_left_alone() -> None:
    assert plan(serving(FLEET)) == []
    assert check(serving(FLEET)) == []


def test_a_foreign_container_forbids_a_run() -> None:
    found = look_again(FLEET, "app-1", containers=(foreign("proxy"),))
    assert [(p.host, p.key) for p in check(found)] == [("app-1", "proxy.container")]
