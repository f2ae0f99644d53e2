from __future__ import annotations

from ipaddress import IPv6Address

from roles.soa_engine.plan import check, container, plan, registered_name, running_name
from tests.unit.build import CONTEXT, change, fleet, foreign, look_again, member, serving

FLEET = fleet("app-1", "app-2", "registry-2", "registry-1")


def test_what_an_engine_is_told() -> None:
    spec = container(FLEET, FLEET["app-2"])
    assert spec.environment == {
        "VIP_CFGCENTER_ZK_CONNECTION": "198.18.0.31:2181,198.18.0.32:2181",
        "EXPORT_IP": "198.18.0.12",
        "EXPORT_PORT": "1080",
        "EXPORT_PROT": "1080",
    }
    assert (spec.part, spec.name) == ("soa_engine", "engine")
    assert spec.image.startswith("engine:")
    assert (spec.network, spec.publish) == ("bridge", ("198.18.0.12:1080:1080",))
    assert spec.volumes == ("/apps/logs/engine:/usr/local/engine/logs",)


def test_the_port_is_told_published_and_registered() -> None:
    found = fleet(member("app-1", soa_engine={"port": 1090}), "registry-1")
    spec = container(found, found["app-1"])
    assert spec.environment["EXPORT_PORT"] == spec.environment["EXPORT_PROT"] == "1090"
    assert spec.publish == ("198.18.0.11:1090:1080",)
    assert registered_name(found["app-1"]) == "198.18.0.11:1090"


def test_an_external_registry_is_told() -> None:
    found = fleet(member("app-1", registry={"connection": "zk-1:2181,zk-2:2181"}))
    told = container(found, found["app-1"]).environment
    assert told["VIP_CFGCENTER_ZK_CONNECTION"] == "zk-1:2181,zk-2:2181"


def test_the_address_is_the_one_that_the_survey_found() -> None:
    moved = change(FLEET, "app-1", address=member("sdk-1").address)
    spec = container(moved, moved["app-1"])
    assert spec.environment["EXPORT_IP"] == "198.18.0.51"
    assert spec.publish == ("198.18.0.51:1080:1080",)


def test_an_engine_of_ipv6() -> None:
    found = serving(change(FLEET, "app-1", address=IPv6Address("2001:db8::1")))
    spec = container(found, found["app-1"])
    assert spec.environment["EXPORT_IP"] == "2001:db8::1"
    assert spec.publish == ("[2001:db8::1]:1080:1080",)
    name = "[2001:db8::1]:1080"
    assert registered_name(found["app-1"]) == running_name(found["app-1"]) == name


def test_an_engine_behind_a_router_is_published_on_the_hosts_own_address() -> None:
    own = FLEET["app-1"].address
    found = change(FLEET, "app-1", address=IPv6Address("2001:db8::1"), translated_to=own)
    spec = container(found, found["app-1"])
    assert spec.environment["EXPORT_IP"] == "2001:db8::1"
    assert spec.publish == ("198.18.0.11:1080:1080",)
    assert registered_name(found["app-1"]) == "[2001:db8::1]:1080"


def test_a_new_image_replaces_engines_in_the_inventorys_order() -> None:
    other = {"image": {"name": "other", "context": CONTEXT}}
    before = serving(FLEET)
    changed = change(before, "app-1", wanted=member("app-1", soa_engine=other).wanted)
    changed = change(changed, "app-2", wanted=member("app-2", soa_engine=other).wanted)
    assert [(c.host, c.interrupts) for c in plan(changed)] == [("app-1", True), ("app-2", True)]


def test_engines_as_wanted_are_left_alone() -> None:
    assert plan(serving(FLEET)) == []
    assert check(serving(FLEET)) == []


def test_a_foreign_container_forbids_a_run() -> None:
    found = look_again(FLEET, "app-1", containers=(foreign("engine"),))
    assert [(p.host, p.key) for p in check(found)] == [("app-1", "soa_engine.container")]
