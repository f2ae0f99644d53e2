from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from roles.observed import Address
from roles.run.conflicts import check
from roles.run.fleet import Fleet, Member
from tests.unit.build import fleet, member


def told(found: Fleet) -> list[str]:
    return [str(problem) for problem in check(found)]


def test_parts_that_share_nothing() -> None:
    everything = member("app-1", groups=("registry", "engine", "proxy", "sdk"))
    assert told(fleet(everything, "app-2", "registry-1", "sdk-1")) == []


def test_one_host_alone_can_not_say_how_a_rollout_goes() -> None:
    found = fleet(member("app-1", rollout={"batch": 2}), "app-2", "registry-1")
    assert told(found) == [
        f"inventory: rollout: is not the same for every host that runs {role}; "
        "say it in group_data/, not for a host"
        for role in ("soa_engine", "proxy")
    ]
    both = [member(name, rollout={"batch": 2}) for name in ("app-1", "app-2")]
    assert told(fleet(*both, "registry-1")) == []


def test_a_port_that_two_parts_want() -> None:
    found = fleet(member("app-1", proxy={"port": 1080}), "app-2")
    assert told(found) == [
        "app-1: proxy: the port 1080 is wanted by soa_engine and proxy; give each its own"
    ]


def test_a_port_that_a_proxy_and_its_status_want() -> None:
    found = fleet(member("app-1", proxy={"port": 2081}))
    assert told(found) == [
        "app-1: proxy: the port 2081 is wanted by proxy and proxy; give each its own"
    ]


def test_a_port_between_the_registrys_servers() -> None:
    found = fleet(member("app-1", groups=("engine", "registry"), soa_engine={"port": 2888}))
    assert told(found) == [
        "app-1: soa_engine: the port 2888 is wanted by registry and soa_engine; give each its own"
    ]


def test_a_directory_that_two_parts_want() -> None:
    found = fleet(member("app-1", proxy={"logs": {"host": "/apps/logs/engine"}}))
    assert told(found) == [
        "app-1: proxy: the host directory /apps/logs/engine is wanted by soa_engine and proxy; "
        "give each its own"
    ]


def test_a_name_that_two_parts_want() -> None:
    found = fleet(member("app-1", proxy={"container": "engine"}))
    assert told(found) == [
        "app-1: proxy: the container name engine is wanted by soa_engine and proxy; "
        "give each its own"
    ]


def test_parts_that_do_not_run_on_the_host_do_not_count() -> None:
    assert told(fleet(member("app-1", groups=("engine",), proxy={"port": 1080}))) == []


def test_two_names_of_one_host() -> None:
    first = member("app-1")
    found = fleet(first, "app-2", replace(first, name="app-1.example"))
    assert told(found) == [
        "app-1.example: export_ip: app-1 and app-1.example have one address, 198.18.0.11; "
        "list each host once, and have each export an address of its own"
    ]


def test_two_hosts_that_export_one_address() -> None:
    both = [
        replace(member(name), address=IPv4Address("203.0.113.9")) for name in ("app-1", "app-2")
    ]
    assert told(fleet(*both)) == [
        "app-2: export_ip: app-1 and app-2 have one address, 203.0.113.9; "
        "list each host once, and have each export an address of its own"
    ]


def having(name: str, *more: tuple[str, str]) -> Member:
    """A host with further addresses: interface, address."""
    found = member(name)
    further = tuple(Address(interface, ip_address(ip), 24) for interface, ip in more)
    observed = replace(found.observed, addresses=found.observed.addresses + further)
    return replace(found, observed=observed)


@pytest.mark.parametrize("ip", ["203.0.113.9", "2001:db8::9"])
@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
def test_a_host_that_exports_another_ones_address(ip: str, order: int) -> None:
    thief = replace(member("app-1"), address=ip_address(ip))
    found = fleet(*[thief, having("app-2", ("eth1", ip))][::order])
    assert told(found) == [
        f"app-1: export_ip: {ip} is an address of app-2, on eth1; "
        "export one that this host alone has"
    ]


def test_addresses_that_no_other_host_reaches_may_be_those_of_others() -> None:
    more = [("docker0", "172.17.0.1"), ("lo", "198.18.0.12"), ("eth0", "fe80::1")]
    found = fleet(having("app-1", *more), having("app-2", *more))
    assert told(found) == []


def test_an_address_that_several_have_and_none_exports() -> None:
    floating = ("eth0", "198.18.0.99")
    assert told(fleet(having("app-1", floating), having("app-2", floating))) == []
