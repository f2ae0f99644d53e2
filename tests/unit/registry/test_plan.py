from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from roles.registry.data import recorded_id
from roles.registry.ensemble import given_members, is_founding, server_ids
from roles.registry.plan import check, container, plan
from roles.run.fleet import Fleet, Member
from tests.unit.build import (
    change,
    fitted,
    fleet,
    foreign,
    look_again,
    member,
    running,
    serving,
)

MYID = "/apps/data/zookeeper/myid"
MEMBERS = "/apps/data/zookeeper/members"
THREE = fleet("registry-1", "registry-2", "registry-3", "app-1")


def recorded(name: str, line: str, given: str | None = None) -> Member:
    """A server with this in its `myid`, and in its `members`."""
    found = member(name)
    lines = {MYID: line} if given is None else {MYID: line, MEMBERS: given}
    return replace(found, observed=replace(found.observed, first_lines=lines))


def told(found: Fleet) -> list[str]:
    return [str(problem) for problem in check(found)]


@pytest.mark.parametrize(
    "members, ids",
    [
        (["registry-1", "registry-2", "registry-3"], {1: 1, 2: 2, 3: 3}),
        (["registry-3", "registry-1", "registry-2"], {1: 1, 2: 2, 3: 3}),
        ([recorded("registry-1", "7"), "registry-2", "registry-3"], {1: 7, 2: 1, 3: 2}),
        (["registry-1", recorded("registry-2", "1"), "registry-3"], {1: 2, 2: 1, 3: 3}),
        (
            [
                "registry-1",
                recorded("registry-2", "1"),
                recorded("registry-3", "2"),
                recorded("registry-4", "3"),
            ],
            {1: 4, 2: 1, 3: 2, 4: 3},
        ),
        ([recorded("registry-1", "255"), "registry-2"], {1: 255, 2: 1}),
        (["registry-1", recorded("registry-2", "3"), "registry-3"], {1: 1, 2: 3, 3: 2}),
    ],
    ids=[
        "by-address",
        "reordered",
        "one-is-recorded",
        "a-low-one-is-taken",
        "one-with-the-lowest-address-joins",
        "the-highest",
        "the-lowest-free-ones",
    ],
)
def test_server_ids(members: list[Member | str], ids: dict[int, int]) -> None:
    expected = {f"registry-{number}": own for number, own in ids.items()}
    assert server_ids(fleet(*members)) == expected
    assert server_ids(fleet(*reversed(members))) == expected


def test_a_server_that_joins_changes_no_id() -> None:
    before = serving(fleet("registry-2", "registry-3"))
    joined = fleet("registry-1", *before.members)
    ids = server_ids(joined)
    assert {name: ids[name] for name in server_ids(before)} == server_ids(before)
    assert ids["registry-1"] == 3


@pytest.mark.parametrize(
    "line, recorded_as",
    [("3", 3), ("12", 12), ("", None), ("three", None), ("-1", None), ("3 4", None)],
)
def test_a_recorded_id(line: str, recorded_as: int | None) -> None:
    assert recorded_id(recorded("registry-1", line)) == recorded_as


def test_an_ensemble_of_which_nobody_ever_ran_is_founded() -> None:
    assert is_founding(THREE)
    assert [str(found) for found in plan(THREE) if "ensemble" in found.action] == [
        f"registry-1: registry: found the ensemble as server 1: {MYID} absent",
        f"registry-2: registry: found the ensemble as server 2: {MYID} absent",
        f"registry-3: registry: found the ensemble as server 3: {MYID} absent",
    ]


def test_a_founding_that_broke_off_is_gone_on_with() -> None:
    given = "0 1=198.18.0.31,2=198.18.0.32,3=198.18.0.33"
    found = fleet(recorded("registry-1", "1", given), "registry-2", "registry-3")
    assert is_founding(found)
    assert [c.host for c in plan(found) if "found the ensemble" in c.action] == [
        "registry-2",
        "registry-3",
    ]


def test_a_server_without_data_joins_those_that_have_some() -> None:
    found = fleet("registry-1", *serving(fleet("registry-2", "registry-3")).members)
    assert not is_founding(found)
    assert [str(c) for c in plan(found) if "ensemble" in c.action] == [
        "registry-1: registry: join the ensemble as server 3: "
        "the ensemble is 1=198.18.0.32,2=198.18.0.33"
    ]


@pytest.mark.parametrize("seen", ["history", "container"])
def test_what_tells_that_an_ensemble_has_run(seen: str) -> None:
    whole = serving(THREE)["registry-2"].observed
    history = {path: found for path, found in whole.paths.items() if path.endswith("version-2")}
    changes: dict[str, Any] = (
        {"paths": history} if seen == "history" else {"containers": whole.containers}
    )
    assert not is_founding(look_again(THREE, "registry-2", **changes))


def test_a_server_that_lost_its_disk_joins_again() -> None:
    lost = look_again(serving(THREE), "registry-2", paths={}, first_lines={})
    assert [c.action for c in plan(lost) if "ensemble" in c.action] == [
        "join the ensemble as server 2"
    ]


def test_an_ensemble_that_serves_needs_nothing() -> None:
    assert plan(serving(THREE)) == []


def test_servers_outside_the_limit_are_not_changed() -> None:
    found = change(THREE, "registry-1", in_limit=False)
    assert {c.host for c in plan(found)} == {"registry-2", "registry-3"}


def test_what_a_server_is_told() -> None:
    spec = container(THREE, THREE["registry-2"])
    assert spec.environment == {
        "ZOO_MY_ID": "2",
        "ZOO_ADDRESS": "198.18.0.32",
        "ZOO_CLIENT_PORT": "2181",
        "ZOO_HEAP_MB": "256",
        "ZOO_SERVERS": "data",
    }
    assert (spec.name, spec.network, spec.publish) == ("zookeeper", "host", ())
    assert spec.volumes == (
        "/apps/data/zookeeper:/usr/local/zookeeper/data",
        "/apps/logs/zookeeper:/usr/local/zookeeper/logs",
    )


def test_what_a_server_is_told_does_not_depend_on_the_inventorys_order() -> None:
    reordered = replace(THREE, members=THREE.members[::-1])
    for name in ("registry-1", "registry-2", "registry-3"):
        assert container(THREE, THREE[name]) == container(reordered, reordered[name])


def test_members_are_given_by_their_ids() -> None:
    found = fleet("registry-1", recorded("registry-2", "1"), recorded("registry-3", "10"))
    expected = "0 1=198.18.0.32,2=198.18.0.31,10=198.18.0.33"
    assert given_members(found, found["registry-1"]) == expected


def external(name: str, **more: Any) -> Member:
    return member(name, registry={"connection": "zk-1:2181,zk-2:2181"}, **more)


@pytest.mark.parametrize(
    "found",
    [
        THREE,
        fleet(external("app-1"), external("app-2")),
        serving(THREE),
        replace(fleet("app-1"), has_whole_registry=False),
    ],
    ids=["ours", "external", "serving", "one-has-a-problem"],
)
def test_a_registry_as_it_should_be(found: Fleet) -> None:
    assert told(found) == []


@pytest.mark.parametrize(
    "found, problems",
    [
        (
            fleet("app-1"),
            [
                "inventory: registry.connection: the group `registry` is empty and no registry "
                "that exists already is given; add hosts to the group, or set "
                "registry.connection = 'host:2181,...'"
            ],
        ),
        (
            fleet(external("registry-1"), external("app-1")),
            [
                "inventory: registry.connection: a registry that exists already is given, but "
                "the group `registry` holds registry-1; empty the group, or remove the key"
            ],
        ),
        (
            fleet("app-1", external("app-2")),
            [
                "inventory: registry.connection: must be the same for every host, found None, "
                "zk-1:2181,zk-2:2181; set it in group_data/all.py"
            ],
        ),
        (
            fleet(recorded("registry-1", "2"), recorded("registry-2", "2"), "registry-3"),
            [
                f"registry-1: registry.server.data: {MYID} holds 2, and so does that of "
                "registry-2; each needs its own",
                f"registry-2: registry.server.data: {MYID} holds 2, and so does that of "
                "registry-1; each needs its own",
            ],
        ),
        (
            fleet(member("registry-1", observed=fitted(containers=(foreign("zookeeper"),)))),
            [
                "registry-1: registry.container: a container 'zookeeper' (image nginx:1) exists "
                "that Dockyard did not make; remove or rename it, or set another name here"
            ],
        ),
    ],
    ids=["none", "both", "two", "twins", "foreign-container"],
)
def test_what_forbids_a_run(found: Fleet, problems: list[str]) -> None:
    assert told(found) == problems


def at(found: Fleet, name: str, ip: str) -> Fleet:
    return change(found, name, address=ip_address(ip))


def test_servers_of_ipv6() -> None:
    found = at(fleet("registry-1", "registry-2"), "registry-1", "2001:db8::1")
    assert found.registry_connection == "198.18.0.32:2181,[2001:db8::1]:2181"
    spec = container(found, found["registry-1"])
    assert spec.environment["ZOO_ADDRESS"] == "2001:db8::1"
    assert given_members(found, found["registry-1"]) == "0 1=198.18.0.32,2=2001:db8::1"


def test_the_addresses_that_everybody_is_told_keep_their_order() -> None:
    reordered = replace(THREE, members=THREE.members[::-1])
    expected = "198.18.0.31:2181,198.18.0.32:2181,198.18.0.33:2181"
    assert THREE.registry_connection == reordered.registry_connection == expected


def test_addresses_are_ordered_as_numbers() -> None:
    found = fleet("registry-1", "registry-2")
    found = change(found, "registry-1", address=member("sdk-60").address)
    assert found.registry_connection == "198.18.0.32:2181,198.18.0.110:2181"
    assert [m.name for m in found.registry_servers] == ["registry-2", "registry-1"]


def test_every_server_is_told_with_its_own_port() -> None:
    found = fleet("registry-1", member("registry-2", registry={"server": {"port": 2182}}))
    assert found.registry_connection == "198.18.0.31:2181,198.18.0.32:2182"


def test_an_external_registry_is_told_as_it_was_given() -> None:
    found = fleet(external("app-1"), external("app-2"))
    assert found.registry_connection == "zk-1:2181,zk-2:2181"
    assert found.registry_servers == []
    assert fleet(external("registry-1")).registry_servers == []


def test_a_server_that_is_stopped_is_started() -> None:
    whole = serving(THREE)
    spec = container(whole, whole["registry-1"])
    stopped = look_again(whole, "registry-1", containers=(running(spec, is_running=False),))
    assert [str(c) for c in plan(stopped)] == [
        "registry-1: registry: start container zookeeper: stopped"
    ]


@pytest.mark.parametrize("line", ["0", "256", "", "one"])
def test_a_myid_that_is_no_server_id_is_not_overwritten(line: str) -> None:
    (problem,) = told(fleet(recorded("registry-1", line), "app-1"))
    assert problem.startswith(f"registry-1: registry.server.data: {MYID} holds '{line}', expected")
