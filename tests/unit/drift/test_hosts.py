"""What differs on hosts by themselves, with the kind of each difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roles.container.spec import ContainerSpec
from roles.drift import hosts
from roles.drift.model import Finding
from roles.observed import Container, Path, Releases, Service, Setup
from roles.run.fleet import Fleet
from roles.soa_engine.plan import container as engine_container
from tests.unit.build import change, fleet, foreign, look_again, member, recorded, running, serving


def whole(*names: str, **engine: Any) -> Fleet:
    """A fleet that is as it is wanted; `docker_engine` is somebody else's."""
    present = {"docker_engine": {"source": "present"}, "soa_engine": engine}
    members = [member(name, **present) for name in (*names, "registry-1")]
    return recorded(serving(fleet(*members)))


def with_engine(found: Fleet, spec: ContainerSpec, is_running: bool = True) -> Fleet:
    others = [c for c in found["app-1"].observed.containers if c.name != spec.name]
    return look_again(found, "app-1", containers=(running(spec, is_running), *others))


def told(found: Fleet) -> list[tuple[str | None, str, str, str, str, str]]:
    fields = ((f.host, f.role, f.path, f.wanted, f.found, f.kind) for f in hosts.differences(found))
    return [each for each in fields if each[1] != "host_check"]


def test_a_fleet_as_wanted_differs_in_nothing() -> None:
    found = whole("app-1", "app-2")
    assert told(found) == []
    assert hosts.unmanaged(found) == []


def test_a_wish_that_was_not_deployed_yet() -> None:
    found = whole("app-1")
    newer = change(found, "app-1", wanted=member("app-1", soa_engine={"pids": 99}).wanted)
    [(host, role, path, wanted, is_now, kind)] = [one for one in told(newer) if "pids" in one[2]]
    assert (host, role, path) == ("app-1", "soa_engine", "engine.pids")
    assert (wanted, is_now, kind) == ("99", "none", "not yet deployed")


def test_a_variable_that_was_set_by_hand() -> None:
    found = whole("app-1")
    spec = engine_container(found, found["app-1"])
    by_hand = running(spec)
    inspect: dict[str, Any] = dict(by_hand.inspect or {})
    config = dict(inspect["Config"])
    config["Env"] = [line for line in config["Env"] if not line.startswith("EXPORT_PORT=")]
    config["Env"].append("EXPORT_PORT=9")
    changed = replace(by_hand, inspect={**inspect, "Config": config})
    others = found["app-1"].observed.containers[1:]
    again = look_again(found, "app-1", containers=(changed, *others))
    path = "engine.environment.EXPORT_PORT"
    assert ("app-1", "soa_engine", path, "1080", "9", "by hand") in told(again)


def test_a_container_that_was_stopped() -> None:
    found = whole("app-1")
    stopped = with_engine(found, engine_container(found, found["app-1"]), is_running=False)
    assert told(stopped) == [("app-1", "soa_engine", "engine", "running", "stopped", "by hand")]


def test_a_container_that_never_was() -> None:
    found = look_again(whole("app-1"), "app-1", containers=())
    kinds = {(path, is_now, kind) for _, _, path, _, is_now, kind in told(found)}
    assert kinds == {
        ("engine", "absent", "not yet deployed"),
        ("proxy", "absent", "not yet deployed"),
    }


def test_an_address_that_the_host_has_no_more() -> None:
    found = whole("app-1")
    moved = replace(found["app-1"].observed.addresses[0], ip=found["registry-1"].address + 40)
    again = change(look_again(found, "app-1", addresses=(moved,)), "app-1", address=moved.ip)
    kinds = {path: kind for _, _, path, _, _, kind in told(again)}
    assert kinds["engine.environment.EXPORT_IP"] == "address moved"
    assert kinds["engine.publish"] == "not yet deployed"


def test_a_registry_that_was_not_read_whole_is_not_judged() -> None:
    servers = (member(n, docker_engine={"source": "present"}) for n in TWO_SERVERS)
    two = recorded(serving(fleet(*servers)))
    members = tuple(one for one in two if one.name != "registry-2")
    lost = replace(two, members=members, has_whole_registry=False)
    assert told(lost) == []
    shrunk = replace(lost, has_whole_registry=True)
    assert "proxy.environment.VIP_CFGCENTER_ZK_CONNECTION" in {one[2] for one in told(shrunk)}


def test_members_of_the_ensemble_that_are_missing_or_foreign() -> None:
    two = serving(fleet(*(member(n, docker_engine={"source": "present"}) for n in TWO_SERVERS)))
    shrunk = replace(two, members=tuple(one for one in two if one.name != "registry-2"))
    line = ("registry-1", "registry", "ensemble.2", "absent", "198.18.0.32", "foreign")
    assert line in told(shrunk)
    grown = fleet(*two.members, member("registry-3", docker_engine={"source": "present"}))
    line = ("registry-3", "registry", "ensemble.3", "198.18.0.33", "absent", "missing")
    assert line in told(grown)


TWO_SERVERS = ("app-1", "registry-1", "registry-2")


def test_a_directory_with_another_owner() -> None:
    found = whole("app-1")
    paths = {**found["app-1"].observed.paths, "/apps/logs/engine": Path("directory", "0:0", "750")}
    wanted, is_now = "owner 10080:10080, mode 750", "owner 0:0, mode 750"
    assert told(look_again(found, "app-1", paths=paths)) == [
        ("app-1", "soa_engine", "/apps/logs/engine", wanted, is_now, "differs")
    ]


@pytest.mark.parametrize(
    "service, found",
    [
        (Service(False, True), "disabled"),
        (Service(True, False), "stopped"),
        (Service(False, False), "disabled and stopped"),
    ],
)
def test_the_engine_s_service(service: Service, found: str) -> None:
    distro = serving(fleet("app-1", "registry-1"))
    again = look_again(distro, "app-1", docker_service=service)
    wanted = "enabled and running"
    line = ("app-1", "docker_engine", "docker.service", wanted, found, "differs")
    assert line in told(again)


def test_keys_of_the_engine_s_configuration_one_by_one() -> None:
    one = member("app-1", docker_engine={"config": {"live-restore": True, "debug": None}})
    text = '{"live-restore": false, "debug": true, "other": 1}'
    found = look_again(serving(fleet(one, "registry-1")), "app-1", daemon_json=text)
    lines = [line[2:] for line in told(found) if "daemon.json" in line[2]]
    assert lines == [
        ("/etc/docker/daemon.json debug", "not set", "true", "differs"),
        ("/etc/docker/daemon.json live-restore", "true", "false", "differs"),
    ]


def test_what_would_be_refused_is_told() -> None:
    found = whole("app-1")
    strangers = (foreign("engine"), *found["app-1"].observed.containers[1:])
    again = look_again(found, "app-1", containers=strangers)
    assert ("app-1", "soa_engine", "container") in [one[:3] for one in told(again)]


@pytest.mark.parametrize("left", ["2026-11-26T10:00:00Z", None])
def test_a_host_that_has_lost_its_record(left: str | None) -> None:
    spoilt = look_again(whole("app-1", "app-2"), "app-1", releases=Releases({}, left))
    assert told(spoilt) == [
        ("app-1", "release", "record", "what the host runs", "absent, or spoilt", "differs")
    ]


def test_a_host_that_is_to_run_nothing_needs_no_record() -> None:
    found = whole("app-1")
    idle = change(found, "app-1", groups=frozenset({"db"}))
    lost = look_again(idle, "app-1", releases=Releases())
    assert [one for one in told(lost) if one[1] == "release"] == []


def test_what_nobody_asked_for() -> None:
    found = whole("app-1")
    spec = engine_container(found, found["app-1"])
    failed = running(replace(spec, name="engine-failed"), False)
    twin = running(replace(spec, name="by-hand"))
    extra: tuple[Container, ...] = (foreign("db"), failed, twin)
    again = look_again(found, "app-1", containers=(*found["app-1"].observed.containers, *extra))
    assert hosts.unmanaged(again) == [
        Finding("app-1", "container", "db", "absent", "of nginx:1", "unmanaged"),
        Finding("app-1", "container", "engine-failed", "absent", f"of {spec.image}", "unmanaged"),
        Finding("app-1", "container", "by-hand", "absent", f"of {spec.image}", "unmanaged"),
    ]


def test_what_serves_under_the_next_ones_name_was_asked_for() -> None:
    found = whole("app-1")
    spec = engine_container(found, found["app-1"])
    others = [c for c in found["app-1"].observed.containers if c.name != spec.name]
    left = running(replace(spec, name=f"{spec.name}-next"))
    assert hosts.unmanaged(look_again(found, "app-1", containers=(left, *others))) == []


def test_a_part_of_a_group_that_the_host_left() -> None:
    found = whole("app-1")
    left = change(found, "app-1", groups=frozenset({"proxy"}))
    assert [one.path for one in hosts.unmanaged(left)] == ["engine"]


def test_of_a_host_whose_engine_is_stopped_that_alone_is_told() -> None:
    found = serving(fleet("app-1", "registry-1"))
    off = Service(True, False)
    silent = {"docker_service": off, "docker_error": "no daemon", "containers": (), "images": ()}
    never = look_again(found, "app-1", **silent)
    assert "engine" in [one[2] for one in told(never) if one[0] == "app-1"]
    stopped = look_again(never, "app-1", releases=Releases(current_name="2026-01-31T10:15:30Z"))
    assert [one[:3] for one in told(stopped) if one[0] == "app-1"] == [
        ("app-1", "docker_engine", "docker.service")
    ]


def test_a_setting_of_the_host_itself() -> None:
    found = whole("app-1")
    wanted = member("app-1", host_setup={"sysctls": {"net.ipv4.ip_forward": 1}}).wanted
    live = Setup(sysctls={"net.ipv4.ip_forward": "0"})
    again = look_again(change(found, "app-1", wanted=wanted), "app-1", setup=live)
    own = [each for each in told(again) if each[1] == "host_setup"]
    assert own == [
        ("app-1", "host_setup", "net.ipv4.ip_forward", "1", "0", "differs"),
        (
            "app-1",
            "host_setup",
            "/etc/sysctl.d/60-dockyard.conf",
            "as Dockyard writes it",
            "absent",
            "differs",
        ),
    ]
