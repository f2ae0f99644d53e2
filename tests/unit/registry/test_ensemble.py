"""Who is a member of the ensemble, as its servers know it, and who is to be one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from roles.observed import Container, Newest
from roles.registry.data import AGREED
from roles.registry.ensemble import (
    Members,
    ensemble,
    given_members,
    has_fixed_members,
    has_moved,
    joining,
    leaving,
    members,
    read_agreed,
    server_ids,
    wanted_members,
)
from roles.registry.membership import Agreed
from roles.registry.plan import check, container, data_gaps, leaving_problems, plan
from roles.run.fleet import Fleet
from tests.unit.build import agreed, change, fleet, look_again, running, serving

MYID, GIVEN = "/apps/data/zookeeper/myid", "/apps/data/zookeeper/members"
AGREED_PATH = f"/apps/data/zookeeper/{AGREED}"
ONE = serving(fleet("registry-1", "app-1", "sdk-1"))
THREE = serving(fleet("registry-1", "registry-2", "registry-3", "app-1"))


def grown(before: Fleet, *names: str) -> Fleet:
    return fleet(*before.members, *names)


def without(before: Fleet, *names: str) -> Fleet:
    return replace(before, members=tuple(m for m in before if m.name not in names))


def knowing(found: Fleet, name: str, of: Members, version: str) -> Fleet:
    """A server of which this is the newest that it knows."""
    return look_again(found, name, newest={AGREED_PATH: agreed(of, version)})


def told(found: Fleet) -> list[str]:
    return [str(c) for c in plan(found) if "ensemble" in c.action or "members" in c.action]


def test_what_servers_know_is_the_ensemble() -> None:
    known = ensemble(THREE)
    assert known and known.version == "100000000"
    assert not any(map(has_fixed_members, THREE))
    assert str(known) == "1=198.18.0.31,2=198.18.0.32,3=198.18.0.33"
    assert ensemble(fleet("registry-1", "registry-2")) is None
    assert plan(THREE) == []


def test_the_newest_counts_by_number_and_that_of_who_runs_before_that_of_others() -> None:
    found = knowing(THREE, "registry-2", {1: "198.18.0.31"}, "fffffff")
    assert ensemble(found) == ensemble(THREE)
    found = knowing(THREE, "registry-2", {1: "198.18.0.31"}, "fffffffff")
    assert (known := ensemble(found)) and known.members == {1: "198.18.0.31"}
    assert ensemble(look_again(found, "registry-2", containers=())) == ensemble(THREE)


def test_addresses_as_java_writes_them() -> None:
    lines = (
        "server.1=[2001:db8:0:0:0:0:0:1]:2888:3888:participant",
        "server.12=198.18.0.31:2888:3888:participant;0.0.0.0:2181",
        "server.3=zk-3:2888:3888",
        "version=100000000",
        "server.x=1",
    )
    assert read_agreed(lines) == {1: "2001:db8::1", 12: "198.18.0.31", 3: "zk-3"}


def test_a_member_of_ipv6_is_one() -> None:
    found = change(fleet("registry-1"), "registry-1", address=ip_address("2001:db8::1"))
    line = "server.1=[2001:db8:0:0:0:0:0:1]:2888:3888:participant"
    found = look_again(found, "registry-1", newest={AGREED_PATH: Newest("1", (line,))})
    assert ensemble(found)
    assert members(found) == list(found)
    assert joining(found) == [] and leaving(found) == {}


def test_one_becomes_three() -> None:
    found = grown(ONE, "registry-2", "registry-3")
    assert told(found) == [
        "registry-2: registry: join the ensemble as server 2: the ensemble is 1=198.18.0.31",
        "registry-3: registry: join the ensemble as server 3: the ensemble is 1=198.18.0.31",
    ]
    assert [c for c in plan(found) if c.host == "registry-1"] == []
    assert given_members(found, found["registry-1"]) is None
    for number in (2, 3):
        line = f"100000000 1=198.18.0.31,{number}=198.18.0.3{number}"
        assert given_members(found, found[f"registry-{number}"]) == line
    assert {gap.path: gap.wanted for gap in data_gaps(found, found["registry-2"])} == {
        MYID: "2",
        GIVEN: "100000000 1=198.18.0.31,2=198.18.0.32",
    }


def test_a_run_that_was_cut_off_is_gone_on_with() -> None:
    """registry-2 has become a member; registry-3 was started, and knows what was agreed on then."""
    now = {1: "198.18.0.31", 2: "198.18.0.32"}
    cut = serving(grown(ONE, "registry-2", "registry-3"))
    for name in ("registry-1", "registry-2"):
        cut = knowing(cut, name, now, "100000007")
    lines = {MYID: "3", GIVEN: "100000000 1=198.18.0.31,3=198.18.0.33"}
    cut = knowing(cut, "registry-3", {1: "198.18.0.31"}, "100000000")
    cut = look_again(cut, "registry-3", first_lines=lines)
    assert told(cut) == [
        "registry-3: registry: join the ensemble as server 3: "
        "the ensemble is 1=198.18.0.31,2=198.18.0.32"
    ]
    expected = "100000007 1=198.18.0.31,2=198.18.0.32,3=198.18.0.33"
    assert given_members(cut, cut["registry-3"]) == expected


def test_three_become_one() -> None:
    found = without(THREE, "registry-2", "registry-3")
    is_now = "it is 1=198.18.0.31,2=198.18.0.32,3=198.18.0.33"
    assert told(found) == [
        f"registry-1: registry: have server 2 (198.18.0.32) leave the ensemble: {is_now}",
        f"registry-1: registry: have server 3 (198.18.0.33) leave the ensemble: {is_now}",
    ]
    assert check(found) == []


def test_one_is_replaced_and_its_id_is_nobodys() -> None:
    found = grown(without(THREE, "registry-2"), "registry-4")
    assert server_ids(found) == {"registry-1": 1, "registry-3": 3, "registry-4": 4}
    assert [c.action for c in plan(found) if "ensemble" in c.action] == [
        "join the ensemble as server 4",
        "have server 2 (198.18.0.32) leave the ensemble",
    ]


def test_a_member_that_has_another_address_joins_with_its_id() -> None:
    found = change(THREE, "registry-3", address=ip_address("198.18.0.39"))
    assert wanted_members(found)[3] == "198.18.0.39"
    assert [m.name for m in joining(found)] == ["registry-3"]
    assert leaving(found) == {}
    given = "100000000 1=198.18.0.31,2=198.18.0.32,3=198.18.0.39"
    assert given_members(found, found["registry-3"]) == given


def test_a_registry_of_one_that_has_another_address_needs_nobodys_consent() -> None:
    found = change(ONE, "registry-1", address=ip_address("198.18.0.39"))
    assert has_moved(found)
    assert check(found) == []
    assert told(found) == [
        f"registry-1: registry: tell server 1 of its members: {GIVEN}: absent",
    ]
    assert given_members(found, found["registry-1"]) == "100000000 1=198.18.0.39"


def test_a_wiped_member_gets_its_id_by_its_address_and_no_second_one() -> None:
    lost = look_again(THREE, "registry-2", paths={}, first_lines={}, newest={})
    assert server_ids(lost)["registry-2"] == 2
    assert joining(lost) == []
    assert told(lost) == [
        f"registry-2: registry: join the ensemble as server 2: {MYID} absent",
    ]
    given = "100000000 1=198.18.0.31,2=198.18.0.32,3=198.18.0.33"
    assert given_members(lost, lost["registry-2"]) == given


def fixed(name: str, servers: str | None) -> Container:
    """A server of an image that has its members in a variable."""
    one = fleet(name)
    found = running(container(one, one[name]))
    assert found.inspect
    lines = [line for line in found.inspect["Config"]["Env"] if "ZOO_SERVERS" not in line]
    lines += [f"ZOO_SERVERS={servers}"] if servers else []
    config = {**found.inspect["Config"], "Env": lines}
    return replace(found, inspect={**found.inspect, "Config": config})


@pytest.mark.parametrize(
    "names, servers, known",
    [
        (["registry-1"], None, "1=198.18.0.31"),
        (
            ["registry-1", "registry-2"],
            "1=198.18.0.31,2=198.18.0.32",
            "1=198.18.0.31,2=198.18.0.32",
        ),
    ],
    ids=["alone", "two"],
)
def test_servers_whose_members_are_fixed_are_told_them_before_they_are_replaced(
    names: list[str], servers: str | None, known: str
) -> None:
    found = serving(fleet(*names))
    for name in names:
        lines = {MYID: name[-1]}
        containers = (fixed(name, servers),)
        found = look_again(found, name, newest={}, first_lines=lines, containers=containers)
    its = ensemble(found)
    assert its and str(its) == known and all(map(has_fixed_members, found))
    for name in names:
        assert given_members(found, found[name]) == f"0 {known}"
    assert check(found) == []
    assert [c.action for c in plan(found) if c.host == names[0]] == [
        f"tell server {names[0][-1]} of its members",
        "replace container zookeeper",
    ]


def with_fixed(found: Fleet, *names: str) -> Fleet:
    """The fleet in which these servers run an image from before."""
    servers = ",".join(f"{m.name[-1]}={m.address}" for m in found.registry_servers)
    for name in names:
        lines, containers = {MYID: name[-1]}, (fixed(name, servers),)
        found = look_again(found, name, newest={}, first_lines=lines, containers=containers)
    return found


ALL = ("registry-1", "registry-2", "registry-3")


@pytest.mark.parametrize("names", [ALL, ALL[:1], ALL[2:]], ids=["all", "one stays", "one leaves"])
@pytest.mark.parametrize("joins", [True, False])
def test_other_members_are_refused_while_a_server_has_them_fixed(
    names: tuple[str, ...], joins: bool
) -> None:
    before = with_fixed(THREE, *names)
    assert check(before) == []
    after = grown(before, "registry-4") if joins else left_group(before, "registry-3")
    [problem] = check(after)
    becomes = "1=198.18.0.31,2=198.18.0.32" + (",3=198.18.0.33,4=198.18.0.34" if joins else "")
    assert str(problem) == (
        "inventory: registry.server: the ensemble is "
        f"1=198.18.0.31,2=198.18.0.32,3=198.18.0.33, and would become {becomes}: "
        f"{', '.join(names)} can't change members yet, being of an image from before, whose "
        "members stand in a variable; run deploy/soa.py with the group `registry` as it was, first"
    )


def left_group(found: Fleet, name: str) -> Fleet:
    return change(found, name, groups=frozenset({"sdk"}))


def limited(found: Fleet, *names: str) -> Fleet:
    treated = tuple(replace(m, in_limit=m.name in names) for m in found)
    return replace(found, members=treated)


def test_other_members_concern_all_that_are_told_of_them() -> None:
    found = limited(grown(ONE, "registry-2"), "registry-2")
    [problem] = check(found)
    assert str(problem) == (
        "inventory: registry.server: the ensemble is 1=198.18.0.31, and would become "
        "1=198.18.0.31,2=198.18.0.32: that concerns hosts outside the limit, too: app-1, sdk-1; "
        "run without --limit, or deploy/bootstrap.py --limit NEW for new hosts alone, or put the "
        "group `registry` back"
    )
    [problem] = check(limited(grown(ONE, "registry-2"), "app-1", "sdk-1"))
    assert "too: registry-2; run without" in str(problem)
    assert check(limited(grown(ONE, "registry-2"), "registry-2", "app-1", "sdk-1")) == []


def test_nobody_may_be_missing_of_those_that_stay() -> None:
    moved = change(THREE, "registry-1", address=ip_address("198.18.0.91"))
    moved = without(moved, "registry-2", "registry-3")
    [problem] = check(moved)
    assert "none of its servers stays" in str(problem)


def test_no_second_ensemble_is_founded_beside_one_that_runs() -> None:
    """None of its servers is in the group any more."""
    left = change(THREE, "registry-1", groups=frozenset({"engine"}))
    found = fleet(*without(left, "registry-2", "registry-3").members, "registry-4")
    assert ensemble(found) is None
    [problem] = check(found)
    assert str(problem).startswith(
        "registry-1: registry.server: a server of the registry runs here (zookeeper), and none of"
    )
    assert check(look_again(found, "registry-1", containers=())) == []


def test_while_a_server_was_not_read_nobody_is_told_to_leave() -> None:
    found = replace(without(THREE, "registry-3"), has_whole_registry=False)
    assert told(found) == []


def stopped(found: Fleet, *names: str) -> Fleet:
    for name in names:
        halted = tuple(replace(c, running=False) for c in found[name].observed.containers)
        found = look_again(found, name, containers=halted)
    return found


@pytest.mark.parametrize(
    "found, going, told",
    [
        (THREE, "3", []),
        (stopped(THREE, "registry-3"), "3", []),
        (stopped(THREE, "registry-1"), "3", ["registry-1: registry.server: does not run"]),
        (stopped(THREE, "registry-1"), "13", []),
        (
            stopped(THREE, "registry-1", "registry-2"),
            "3",
            [f"registry-{n}: registry.server: does not run" for n in (1, 2)],
        ),
        (THREE, "123", ["registry-1, registry-2, registry-3: registry.server: would leave no"]),
        (ONE, "1", ["registry-1: registry.server: would leave no server"]),
        (grown(ONE, "registry-3"), "3", []),
    ],
    ids=[
        "three",
        "it is down",
        "another is down",
        "both go",
        "both others are down",
        "all go",
        "the only one",
        "it is no member",
    ],
)
def test_those_that_stay_must_all_serve(found: Fleet, going: str, told: list[str]) -> None:
    problems = leaving_problems(found, {f"registry-{number}" for number in going})
    assert len(problems) == len(told)
    assert all(str(p).startswith(text) for p, text in zip(problems, told, strict=True))


def test_what_zookeeper_is_asked_to_agree_on() -> None:
    now = Agreed(7, {1: "198.18.0.31:2888:3888:participant;x", 10: "h:2888:3888:participant"})
    assert now.has(1, "198.18.0.31") and now.has(2, None)
    assert not (now.has(1, "198.18.0.32") or now.has(1, None) or now.has(2, "198.18.0.32"))
    assert now.becomes(2, "2001:db8::2") == (
        "server.1=198.18.0.31:2888:3888:participant;x,"
        "server.2=[2001:db8::2]:2888:3888:participant,server.10=h:2888:3888:participant"
    )
    assert now.becomes(10, None) == "server.1=198.18.0.31:2888:3888:participant;x"
