from __future__ import annotations

from roles.sdk.plan import check, container, plan
from tests.unit.build import fleet, foreign, look_again, member, serving

FLEET = fleet("sdk-1", "app-1", "registry-2", "registry-1")


def test_what_a_caller_is_told() -> None:
    spec = container(FLEET, FLEET["sdk-1"])
    assert spec.environment == {"VIP_CFGCENTER_ZK_CONNECTION": "198.18.0.31:2181,198.18.0.32:2181"}
    assert (spec.part, spec.name, spec.network) == ("sdk", "sdk", "host")
    assert spec.publish == ()


def test_it_listens_on_nothing_on_the_bridge_either() -> None:
    found = fleet(member("sdk-1", sdk={"network": "bridge"}), "registry-1")
    assert container(found, found["sdk-1"]).publish == ()


def test_where_the_last_known_proxies_survive() -> None:
    data = {"host": "/apps/data/sdk", "container": "/data"}
    found = fleet(member("sdk-1", sdk={"data": data}), "registry-1")
    assert "/apps/data/sdk:/data" in container(found, found["sdk-1"]).volumes


def test_a_bare_host() -> None:
    assert [(c.host, c.action) for c in plan(FLEET)] == [
        ("sdk-1", "directory /apps/logs/sdk"),
        ("sdk-1", "create container sdk"),
    ]


def test_a_caller_as_wanted_is_left_alone() -> None:
    assert plan(serving(FLEET)) == []
    assert check(serving(FLEET)) == []


def test_a_foreign_container_forbids_a_run() -> None:
    found = look_again(FLEET, "sdk-1", containers=(foreign("sdk"),))
    assert [(p.host, p.key) for p in check(found)] == [("sdk-1", "sdk.container")]
