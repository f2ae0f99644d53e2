from __future__ import annotations

from roles.proxy.plan import check, container, plan, registered_name
from roles.proxy.status import telling_proxies
from tests.unit.build import fleet, foreign, look_again, member, running, serving

FLEET = fleet("app-1", "app-2", "registry-2", "registry-1")


def test_what_a_proxy_is_told() -> None:
    spec = container(FLEET, FLEET["app-2"])
    assert registered_name(FLEET["app-2"]) == "198.18.0.12:2080"
    assert spec.environment == {
        "VIP_CFGCENTER_ZK_CONNECTION": "198.18.0.31:2181,198.18.0.32:2181",
        "EXPORT_IP": "198.18.0.12",
        "EXPORT_PORT": "2080",
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


def test_which_proxies_run() -> None:
    found = serving(FLEET)
    assert list(telling_proxies(found)) == ["app-1", "app-2"]
    stopped = running(container(found, found["app-1"]), is_running=False)
    found = look_again(found, "app-1", containers=(stopped,))
    assert list(telling_proxies(found)) == ["app-2"]
    assert telling_proxies(FLEET) == {}


def test_proxies_as_wanted_are_left_alone() -> None:
    assert plan(serving(FLEET)) == []
    assert check(serving(FLEET)) == []


def test_a_foreign_container_forbids_a_run() -> None:
    found = look_again(FLEET, "app-1", containers=(foreign("proxy"),))
    assert [(p.host, p.key) for p in check(found)] == [("app-1", "proxy.container")]
