from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from roles.container.instance import Instance
from roles.run.fleet import Fleet
from roles.soa_engine.plan import check, container, name_of, plan, running_name, successor
from tests.unit.build import CONTEXT, change, fleet, foreign, look_again, member, running, serving

FLEET = fleet("app-1", "app-2", "registry-2", "registry-1")


def test_what_an_engine_is_told() -> None:
    spec = container(FLEET, FLEET["app-2"])
    assert spec.environment == {
        "VIP_CFGCENTER_ZK_CONNECTION": "198.18.0.31:2181,198.18.0.32:2181",
        "EXPORT_IP": "198.18.0.12",
        "EXPORT_PORT": "1080",
        "EXPORT_PROT": "1080",
        "EXPORT_NETWORK": "bridge",
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
    assert name_of(found["app-1"], Instance.of(spec)) == "198.18.0.11:1090"


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
    assert name_of(found["app-1"], Instance.of(spec)) == running_name(found["app-1"]) == name


def test_an_engine_behind_a_router_is_published_on_the_hosts_own_address() -> None:
    own = FLEET["app-1"].address
    found = change(FLEET, "app-1", address=IPv6Address("2001:db8::1"), translated_to=own)
    spec = container(found, found["app-1"])
    assert spec.environment["EXPORT_IP"] == "2001:db8::1"
    assert spec.publish == ("198.18.0.11:1080:1080",)
    assert name_of(found["app-1"], Instance.of(spec)) == "[2001:db8::1]:1080"


@pytest.mark.parametrize(
    "network, is_translated, told",
    [
        ("bridge", False, "bridge"),
        ("mine", False, "bridge"),
        ("host", False, "host"),
        ("host", True, "bridge"),
    ],
    ids=["bridge", "a user's own", "host", "host behind a router"],
)
def test_where_the_address_can_be_seen_from_the_inside(
    network: str, is_translated: bool, told: str
) -> None:
    found = fleet(member("app-1", soa_engine={"network": network}), "registry-1")
    if is_translated:
        found = change(found, "app-1", translated_to=member("app-2").address)
    assert container(found, found["app-1"]).environment["EXPORT_NETWORK"] == told


@pytest.mark.parametrize(
    "told, name",
    [
        ({}, "198.18.0.11:1080"),
        ({"EXPORT_PORT": "1081"}, "198.18.0.11:1081"),
        ({"EXPORT_IP": "198.18.0.99"}, "198.18.0.99:1080"),
        ({"EXPORT_IP": "2001:db8::9", "EXPORT_PORT": "1081"}, "[2001:db8::9]:1081"),
    ],
    ids=["nothing", "port", "address", "both"],
)
def test_an_engine_is_named_as_its_container_was_told(told: dict[str, str], name: str) -> None:
    assert name_of(FLEET["app-1"], Instance("engine", told)) == name


def test_where_no_engine_runs_none_has_a_name() -> None:
    stopped = running(container(FLEET, FLEET["app-1"]), is_running=False)
    assert running_name(FLEET["app-1"]) is None
    assert running_name(look_again(FLEET, "app-1", containers=(stopped,))["app-1"]) is None


def on_port(told: str | None, *, name: str = "engine", is_running: bool = True) -> Fleet:
    """A fleet of two ports with an engine that was told one of them; None where none is there."""
    found = fleet(member("app-1", soa_engine={"second_port": 1081}), "registry-1")
    spec = replace(container(found, found["app-1"]), name=name)
    told_so = replace(spec, environment={**spec.environment, "EXPORT_PORT": told or ""})
    containers = (running(told_so, is_running),) if told is not None else ()
    return look_again(found, "app-1", containers=containers)


@pytest.mark.parametrize(
    "found, port, next_port",
    [
        (on_port(None), "1080", "1081"),
        (on_port("1080"), "1080", "1081"),
        (on_port("1081"), "1081", "1080"),
        (on_port("1081", is_running=False), "1081", "1080"),
        (on_port("1081", name="engine-next"), "1081", "1080"),
        (on_port("1081", name="engine-next", is_running=False), "1080", "1081"),
        (on_port("1082"), "1080", "1081"),
        (on_port(""), "1080", "1081"),
    ],
    ids=[
        "none",
        "on the first",
        "on the second",
        "stopped",
        "serving as the next one",
        "no next one that serves",
        "on another",
        "on none",
    ],
)
def test_two_ports_take_turns(found: Fleet, port: str, next_port: str) -> None:
    member = found["app-1"]
    stays, follows = container(found, member), successor(found, member)
    assert follows
    for spec, number in ((stays, port), (follows, next_port)):
        assert spec.environment["EXPORT_PORT"] == spec.environment["EXPORT_PROT"] == number
        assert spec.publish == (f"198.18.0.11:{number}:1080",)
        assert spec.name == "engine"


def test_with_one_port_nothing_starts_beside() -> None:
    assert successor(FLEET, FLEET["app-1"]) is None


def test_an_engine_on_its_second_port_is_as_wanted() -> None:
    found = fleet(member("app-1", soa_engine={"second_port": 1081}), "registry-1")
    spec = successor(found, found["app-1"])
    assert spec
    served = serving(found)
    others = (c for c in served["app-1"].observed.containers if c.name != "engine")
    assert plan(look_again(served, "app-1", containers=(running(spec), *others))) == []


@pytest.mark.parametrize(
    "second, texts",
    [
        (
            1080,
            [
                "app-1: soa_engine.second_port: is 1080, as `port` is; expected another, or remove "
                "it"
            ],
        ),
        (1081, []),
        (None, []),
    ],
)
def test_two_ports_are_two(second: int | None, texts: list[str]) -> None:
    found = fleet(member("app-1", soa_engine={"second_port": second}), "registry-1")
    assert [str(problem) for problem in check(found)] == texts


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
