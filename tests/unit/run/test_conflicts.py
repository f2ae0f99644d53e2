from __future__ import annotations

from dataclasses import replace

from roles.run.conflicts import check
from roles.run.fleet import Fleet
from tests.unit.build import fleet, member


def told(found: Fleet) -> list[str]:
    return [str(problem) for problem in check(found)]


def test_parts_that_share_nothing() -> None:
    everything = member("app-1", groups=("registry", "engine", "proxy", "sdk"))
    assert told(fleet(everything, "app-2", "registry-1", "sdk-1")) == []


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
        "list each host once"
    ]
