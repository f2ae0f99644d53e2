"""The survey of hosts that were read already."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path as File
from typing import Any

import pytest
from pyinfra.api import DeployError, Host, State
from pyinfra.api.exceptions import ConnectError
from pyinfra.context import ctx_state

from roles.container.instance import Instance
from roles.docker_engine import plan as docker_engine
from roles.docker_engine import service
from roles.host_check import plan as host_check
from roles.host_setup import plan as host_setup
from roles.observed import Address, Container, Lease, Observed, Route, Service, Setup, forget
from roles.proxy import plan as proxy
from roles.retire import plan as retire
from roles.run import options
from roles.run.changes import Change
from roles.run.connecting import Connecting
from roles.run.current import current_fleet
from roles.run.fleet import Fleet
from roles.run.options import Options
from roles.run.problems import Problem
from roles.run.reading import look
from roles.run.survey import SYSTEM, survey
from roles.run.wanted import Wanted
from roles.run.wishes import Wish
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine
from tests.unit.build import (
    address_of,
    as_read,
    bare,
    data,
    disk,
    fit,
    fitted,
    fleet,
    local_state,
    member,
    wanted,
)
from tests.unit.host_setup.build import ANN, REGULAR, SAID_YES, SYSTEM_PATHS

ROOT = File(__file__).parents[3]
GROUPS = {"engine": ["app-1", "app-2"], "proxy": ["app-1", "app-2"], "registry": ["registry-1"]}
NAMES = ("app-1", "app-2", "registry-1")


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_options", Options(yes=True))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def hosts(
    stack: ExitStack,
    *names: str,
    everywhere: dict[str, Any] | None = None,
    observed: dict[str, Observed] | None = None,
    **of_hosts: dict[str, Any],
) -> State:
    """The state of a run; `of_hosts` is data of hosts, with `_` for `-` in their names."""
    given = {name.replace("_", "-"): values for name, values in of_hosts.items()}
    groups = {group: [m for m in members if m in names] for group, members in GROUPS.items()}
    state = local_state(
        *names, everywhere={**data(), **(everywhere or {})}, hosts=given, groups=groups
    )
    for name in names:
        as_read(state, name, (observed or {}).get(name, fitted(address_of(name))))
    stack.enter_context(ctx_state.use(state))
    return state


def refusal(roles: Any = SYSTEM) -> list[str]:
    with pytest.raises(DeployError) as caught:
        survey(roles)
    first, *problems = str(caught.value).split("\n  ")
    noun = "problem" if len(problems) == 1 else "problems"
    assert first == f"{len(problems)} {noun}, and nothing was changed:"
    return problems


class Quiet:
    """A role that finds nothing and changes nothing."""

    @staticmethod
    def check(found: Fleet) -> list[Problem]:
        return []

    @staticmethod
    def plan(found: Fleet) -> list[Change]:
        return []


def test_a_fleet_is_surveyed_and_remembered(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES)
    survey()
    found = current_fleet(state)
    assert [(m.name, str(m.address), m.in_limit) for m in found] == [
        ("app-1", "198.18.0.11", True),
        ("app-2", "198.18.0.12", True),
        ("registry-1", "198.18.0.31", True),
    ]
    assert found["app-1"].groups == {"engine", "proxy"}
    assert found.registry_connection == "198.18.0.31:2181"
    survey()
    assert current_fleet(state) is found


def two_networks(inner: str, outer: str) -> Observed:
    """A host whose default route leads to another network than the fleet's."""
    return replace(
        fitted(inner),
        addresses=(
            Address("eth0", IPv4Address(outer), 24),
            Address("eth1", IPv4Address(inner), 24),
        ),
        routes=(
            Route(IPv4Network("0.0.0.0/0"), "eth0", None, 0),
            Route(IPv4Network("198.18.0.0/24"), "eth1", None, 0),
        ),
    )


def test_hosts_look_for_their_address_towards_the_registry(stack: ExitStack) -> None:
    observed = {"app-1": two_networks("198.18.0.11", "203.0.113.11")}
    state = hosts(stack, *NAMES, observed=observed)
    survey()
    assert str(current_fleet(state)["app-1"].address) == "198.18.0.11"


def test_hosts_look_towards_a_registry_that_exists_already(stack: ExitStack) -> None:
    observed = {
        "app-1": replace(
            two_networks("198.18.0.11", "203.0.113.11"),
            resolved={"zk-1": IPv4Address("198.18.0.99")},
        )
    }
    external = {"registry": {"connection": "nobody:2181,zk-1:2181"}}
    state = hosts(stack, "app-1", everywhere=external, observed=observed)
    survey()
    found = current_fleet(state)
    assert str(found["app-1"].address) == "198.18.0.11"
    assert found.registry_connection == "nobody:2181,zk-1:2181"


def test_a_host_may_say_its_address_itself(stack: ExitStack) -> None:
    observed = {"app-1": two_networks("198.18.0.11", "203.0.113.11")}
    state = hosts(stack, *NAMES, observed=observed, app_1={"export_ip": "203.0.113.11"})
    survey()
    assert str(current_fleet(state)["app-1"].address) == "203.0.113.11"


def dual(name: str, ipv6: str) -> Observed:
    """A host with an address of each family, on one network each."""
    found = fitted(address_of(name))
    return replace(
        found,
        addresses=(*found.addresses, Address("eth0", IPv6Address(ipv6), 64)),
        routes=(*found.routes, Route(IPv6Network("2001:db8::/64"), "eth0", None, 256)),
    )


def test_hosts_follow_the_registrys_family(stack: ExitStack) -> None:
    observed = {
        name: replace(dual(name, f"2001:db8::{n}"), daemon_json='{"ipv6": true}')
        for n, name in enumerate(NAMES, 1)
    }
    own = {"export_ip": "2001:db8::/64"}
    state = hosts(stack, *NAMES, observed=observed, registry_1=own, app_2={"export_ip": "eth0"})
    survey()
    found = current_fleet(state)
    assert [str(m.address) for m in found] == ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
    assert found.registry_connection == "[2001:db8::3]:2181"
    engine = soa_engine.container(found, found["app-1"])
    assert engine.environment["EXPORT_IP"] == "2001:db8::1"
    assert engine.publish == ("[2001:db8::1]:1080:1080",)
    told = Instance.of(engine)
    assert soa_engine.name_of(found["app-1"], told) == "[2001:db8::1]:1080"
    told = Instance.of(proxy.container(found, found["app-1"]))
    assert proxy.name_of(found["app-1"], told) == "[2001:db8::1]:2080"


def test_a_host_behind_a_router_listens_on_its_own_address(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES, app_1={"export_ip": "203.0.113.9", "export_ip_nat": True})
    survey()
    found = current_fleet(state)
    engine = soa_engine.container(found, found["app-1"])
    assert engine.environment["EXPORT_IP"] == "203.0.113.9"
    assert engine.publish == ("198.18.0.11:1080:1080",)
    assert soa_engine.name_of(found["app-1"], Instance.of(engine)) == "203.0.113.9:1080"


def test_a_server_of_the_registry_is_behind_no_router(stack: ExitStack) -> None:
    hosts(stack, *NAMES, registry_1={"export_ip": "203.0.113.9", "export_ip_nat": True})
    assert refusal() == [
        "registry-1: export_ip_nat: 203.0.113.9 is on no interface of this host, and ZooKeeper's "
        "servers listen on the address that the others are told; export one of the host's own"
    ]


def test_every_problem_of_every_host_is_told_at_once(stack: ExitStack) -> None:
    hosts(
        stack,
        *NAMES,
        app_1={"soa_engine": {"prot": 1}},
        app_2={"export_ip": "10.0.0.9"},
        observed={"registry-1": fitted("198.18.0.31", kernel="2.6.32")},
    )
    problems = refusal()
    assert [": ".join(problem.split(": ")[:2]) for problem in problems] == [
        "app-1: soa_engine.prot",
        "app-2: export_ip",
        "registry-1: host_check.kernel",
    ]


def test_warnings_are_counted_in_one_line(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("roles.run.report.logger.warning", said.append)
    hosts(stack, *NAMES)
    survey()
    assert said == []
    unnamed = fit("198.18.0.12", name_addresses=())
    hosts(stack, *NAMES, observed={"app-2": fitted("198.18.0.12", fitness=unnamed)})
    survey()
    assert said == [
        "1 warning on hosts; `pyinfra INVENTORY deploy/verify.py` tells them",
    ]


def test_a_failure_that_is_accepted_ends_no_run(stack: ExitStack) -> None:
    late = {"app-2": fitted("198.18.0.12", clock_skew_s=3600.0)}
    hosts(stack, *NAMES, observed=late)
    assert [line.split(": ")[:2] for line in refusal()] == [["app-2", "host_check.clock-skew"]]
    hosts(stack, *NAMES, observed=late, app_2={"host_check": {"accept": ["clock-skew"]}})
    survey()


def test_what_roles_find_is_told_beside_what_makes_a_host_unfit(stack: ExitStack) -> None:
    class Eager(Quiet):
        @staticmethod
        def check(found: Fleet) -> list[Problem]:
            return [Problem(member.name, "role", "found") for member in found]

    hosts(stack, "app-1", observed={"app-1": bare(init="openrc")})
    roles = (sdk, Eager())
    assert [line.split(": ")[1] for line in refusal(roles)] == ["host_check.init", "role"]


def test_only_what_installs_or_deploys_needs_a_fit_host(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roles.run.report.logger.warning", lambda text: pytest.fail(text))
    full = fit("198.18.0.11", disks={"/var/lib/docker": disk(free_gib=0)}, name_addresses=())
    unfit = fitted("198.18.0.11", fitness=full)
    hosts(stack, *NAMES, observed={"app-1": unfit})
    assert [line.split(": ")[1] for line in refusal((sdk,))] == ["host_check.disk-data-root"]
    hosts(stack, *NAMES, everywhere={"action": "stop"}, observed={"app-1": unfit})
    survey((service,))


def test_what_is_for_another_deploy_is_refused(stack: ExitStack) -> None:
    hosts(stack, *NAMES, everywhere={"drain": {"reason": "new disk"}})
    assert refusal() == [
        "inventory: --data drain: is for deploy/drain.py, and is not done here; leave it away"
    ]


def test_whatever_a_deploy_does_it_needs_root(stack: ExitStack) -> None:
    common = fitted("198.18.0.11", user_id=1000)
    hosts(stack, *NAMES, everywhere={"action": "stop"}, observed={"app-1": common})
    assert [line.split(": ")[1] for line in refusal((service,))] == ["host_check.root"]


def test_a_host_that_is_unfit_for_containers_is_set_up_all_the_same(stack: ExitStack) -> None:
    unfit = fitted("198.18.0.11", fitness=fit(disks={"/var/lib/docker": disk("nfs")}), init="bash")
    hosts(stack, *NAMES, observed={"app-1": unfit})
    survey((host_setup,))


def test_a_host_outside_the_limit_may_be_unfit(stack: ExitStack) -> None:
    late = fitted("198.18.0.12", clock_skew_s=3600.0)
    state = hosts(stack, *NAMES, observed={"app-2": late})
    state.limit_hosts = [state.inventory.get_host("app-1")]
    survey()
    assert not current_fleet(state)["app-2"].in_limit


def test_conflicts_and_the_roles_own_problems_are_told_together(stack: ExitStack) -> None:
    hosts(
        stack,
        *NAMES,
        everywhere={},
        app_1={"proxy": {"port": 1080}},
        observed={"app-2": fitted("198.18.0.12", docker_hangs=True)},
    )
    problems = refusal()
    assert [problem.split(": ")[0] for problem in problems] == ["app-1", "app-2"]


@pytest.mark.parametrize(
    "given, key",
    [
        (Options(yes=True, serial=True), "--serial"),
        (Options(yes=True, no_wait=True), "--no-wait"),
        (Options(yes=True, fail_percent=10), "--fail-percent"),
    ],
)
def test_options_that_the_conductor_forbids(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, given: Options, key: str
) -> None:
    monkeypatch.setattr(options, "_options", given)
    hosts(stack, *NAMES)
    (problem,) = refusal()
    assert problem.startswith(f"inventory: {key}: ")


@pytest.mark.parametrize(
    "given, terminal, changes, ends",
    [
        (Options(yes=True), False, True, None),
        (Options(dry=True), False, True, None),
        (Options(deploys=("soa.py",)), True, True, None),
        (Options(deploys=("soa.py",)), False, True, DeployError),
        (Options(deploys=("soa.py",)), False, False, SystemExit),
        (Options(deploys=("soa.py",)), True, False, SystemExit),
        (Options(deploys=("a.py", "b.py")), True, False, None),
        (Options(yes=True, deploys=("soa.py",)), True, False, None),
    ],
    ids=[
        "yes",
        "dry",
        "can-ask",
        "cannot-ask",
        "nothing-to-ask",
        "nothing-to-ask-a-terminal",
        "another-file-follows",
        "yes-and-nothing-to-do",
    ],
)
def test_what_follows_the_survey(
    stack: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    given: Options,
    terminal: bool,
    changes: bool,
    ends: type[BaseException] | None,
) -> None:
    monkeypatch.setattr(options, "_options", given)
    monkeypatch.setattr(options, "has_terminal", lambda: terminal)
    stopped = fitted("198.18.0.11", docker_service=Service(enabled=True))
    hosts(stack, *NAMES, observed={"app-1": stopped} if changes else {})
    roles = (docker_engine,)
    if ends is None:
        survey(roles)
        return
    with pytest.raises(ends) as caught:
        survey(roles)
    if ends is SystemExit:
        assert caught.value.code == 0  # type: ignore[attr-defined]


def test_an_engines_change_is_rehearsed_where_a_host_has_no_other_problem(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str | None]] = []

    def rehearsing(
        state: State, found: Fleet, without: set[str | None]
    ) -> tuple[Fleet, list[Problem]]:
        asked.append(without)
        return found, [Problem("app-2", "docker_engine.version", "27.0.0 is not there")]

    monkeypatch.setattr("roles.run.survey.rehearse", rehearsing)
    unfit = fitted("198.18.0.11", kernel="2.6.32")
    hosts(stack, *NAMES, observed={"app-1": unfit})
    assert [problem.split(": ")[:2] for problem in refusal()] == [
        ["app-1", "host_check.kernel"],
        ["app-2", "docker_engine.version"],
    ]
    assert refusal((sdk,)) == [problem for problem in refusal() if "app-1" in problem]
    assert asked == [{"app-1"}, {"app-1"}]


def unreachable(state: State, *names: str) -> None:
    for name in names:
        host = state.inventory.get_host(name)
        host.connected = False
        state.active_hosts.discard(host)


def test_a_host_that_cannot_be_reached_ends_the_run(stack: ExitStack) -> None:
    unreachable(hosts(stack, *NAMES), "app-2")
    (problem,) = refusal()
    assert problem.startswith(
        "app-2: connection: can't be reached; mend that, or go on without by "
        "--data rollout.max_unreachable=1 (it is 0)"
    )


def test_a_host_that_lets_nobody_in_may_be_one_that_was_never_taken_in(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES)
    unreachable(state, "app-2")
    told = "Authentication error (username=ops)"
    Connecting.host_connect_error(state, state.inventory.get_host("app-2"), ConnectError(told))
    (problem,) = refusal()
    assert problem.startswith("app-2: connection: lets no such login in; mend that, or take it in")


@pytest.mark.parametrize("allowed", [0, 1])
def test_a_host_that_leaves_has_to_be_reached(stack: ExitStack, allowed: int) -> None:
    data = {"rollout": {"max_unreachable": allowed}}
    state = hosts(stack, *NAMES, everywhere=data)
    state.limit_hosts = [state.inventory.get_host("app-2")]
    unreachable(state, "app-2")
    with pytest.raises(DeployError) as caught:
        survey((retire,), moves="leaving")
    [_, problem] = str(caught.value).split("\n  ")
    assert problem.startswith("app-2: connection: can't be reached, so it can't be emptied")
    assert "`dockyard hostkeys forget app-2`" in problem


def test_as_many_as_allowed_are_left_out(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES, everywhere={"rollout": {"max_unreachable": 1}})
    unreachable(state, "app-2")
    survey()
    found = current_fleet(state)
    assert [m.name for m in found] == ["app-1", "registry-1"]
    assert found.unreachable == ("app-2",)


def test_more_than_allowed_are_all_named(stack: ExitStack) -> None:
    unreachable(
        hosts(stack, *NAMES, everywhere={"rollout": {"max_unreachable": 1}}), "app-1", "app-2"
    )
    assert [problem.split(": ")[0] for problem in refusal()] == ["app-1", "app-2"]


def test_a_server_of_the_registry_is_never_left_out(stack: ExitStack) -> None:
    unreachable(hosts(stack, *NAMES, everywhere={"rollout": {"max_unreachable": 9}}), "registry-1")
    assert refusal()[0].startswith("registry-1: connection: ")


def test_hosts_outside_the_limit_are_read_but_not_to_be_changed(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES)
    state.limit_hosts = [state.inventory.get_host("app-1")]
    survey()
    assert [(m.name, m.in_limit) for m in current_fleet(state)] == [
        ("app-1", True),
        ("app-2", False),
        ("registry-1", False),
    ]


def test_hosts_outside_the_limit_are_connected_to_be_read(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES)
    state.limit_hosts = [state.inventory.get_host("app-1")]
    unreachable(state, "registry-1")
    survey()
    assert state.inventory.get_host("registry-1").connected
    assert current_fleet(state).registry_connection == "198.18.0.31:2181"


LEASED = Lease("b2", 1_764_000_060, 3, "bob@desk", 1_764_000_000, "deploy/engine.py", 40)


def test_hosts_that_another_has_are_refused(stack: ExitStack) -> None:
    observed = {n: replace(fitted(address_of(n)), lease=LEASED) for n in NAMES[1:]}
    strange = Container("proxy", "proxy:1", True)
    observed["app-2"] = replace(observed["app-2"], containers=(strange,))
    hosts(stack, *NAMES, observed=observed)
    [problem] = refusal()  # not of a container that is being replaced as it is read
    assert problem.startswith(f"app-2: lease: held by {LEASED.holder}, until {LEASED.expiry}")


def test_it_is_told_alone_also_where_records_are_read_that_another_is_writing(
    stack: ExitStack,
) -> None:
    def half_written(state: State, connected: list[Host]) -> tuple[dict[Host, Wish], list[Problem]]:
        return {}, [Problem("app-1", "release", "has no record of it")]

    hosts(stack, *NAMES, observed={"app-2": replace(fitted("198.18.0.12"), lease=LEASED)})
    with pytest.raises(DeployError) as caught:
        survey((Quiet,), half_written)
    _, *problems = str(caught.value).split("\n  ")
    assert [problem.split(" by ")[0] for problem in problems] == ["app-2: lease: held"]


def test_who_only_looks_is_warned_that_another_deploys(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(options, "_options", Options(dry=True))
    state = hosts(stack, "app-1", observed={"app-1": replace(fitted(), lease=LEASED)})
    survey((Quiet,))
    assert [m.name for m in current_fleet(state)] == ["app-1"]
    assert "app-1: lease: held by bob@desk since" in caplog.text


def test_a_host_that_failed_already_is_not_changed(stack: ExitStack) -> None:
    state = hosts(stack, *NAMES)
    state.active_hosts.discard(state.inventory.get_host("app-2"))
    survey()
    assert [m.in_limit for m in current_fleet(state)] == [True, False, True]


@pytest.mark.parametrize("servers", [["registry-1", "registry-2"], ["registry-2", "registry-1"]])
def test_the_address_does_not_depend_on_the_order_of_the_registrys_servers(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, servers: list[str]
) -> None:
    monkeypatch.setitem(GROUPS, "registry", servers)
    own = IPv4Address("198.18.0.11")
    routes = (
        Route(IPv4Network("198.18.0.31/32"), "eth0", own, 0),
        Route(IPv4Network("198.18.0.32/32"), "eth0", IPv4Address("203.0.113.11"), 0),
    )
    state = hosts(stack, "app-1", *servers, observed={"app-1": fitted(own, routes=routes)})
    survey()
    assert current_fleet(state)["app-1"].address == own


@pytest.mark.parametrize(
    "said, advice",
    [
        ("sudo: a password is required", "add --same-sudo-password"),
        ("app is not in the sudoers file.", "give it the right to become root"),
        ("sudo: 1 incorrect password attempt", "give it the right to become root"),
        ("sh: 1: awk: not found", "awk: not found"),
    ],
)
def test_a_host_that_cannot_be_read(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    state = hosts(stack, *NAMES)
    forget(state.inventory.get_host("app-2"))
    monkeypatch.setattr("roles.observed.probe.SCRIPT", f"echo '{said}' >&2; exit 1".encode())
    problems = refusal((Quiet(),))
    assert problems[0].startswith("app-2: probe: ")
    assert advice in " ".join(problems)


def test_what_hosts_are_asked() -> None:
    asked = look(wanted())
    assert set(asked.paths) == {
        "/apps/logs/zookeeper",
        "/apps/data/zookeeper",
        "/apps/data/zookeeper/version-2",
        "/apps/logs/engine",
        "/apps/logs/proxy",
        "/apps/logs/sdk",
        "/etc/apt/keyrings/docker-9DC858229FC7DD38854AE2D88D81803C0EBFCD88.asc",
        "/etc/pki/rpm-gpg/docker-060A61C51B558A7F742B77AAC52FEB6B621E9F35.asc",
        *asked.sums,
    }
    assert asked.sums == (
        "/etc/apt/sources.list.d/docker.list",
        "/etc/yum.repos.d/docker-ce.repo",
        "/etc/systemd/system/docker.service.d/dockyard-proxy.conf",
    )
    assert asked.files == ("/apps/data/zookeeper/myid", "/apps/data/zookeeper/members")
    assert asked.newest == ("/apps/data/zookeeper/zoo.cfg.dynamic",)
    assert asked.names == ()
    external = Wanted.model_validate(
        {
            "registry": {"connection": "zk-1:2181,zk-2:2182,[2001:db8::3]:2181"},
            "docker_engine": {"source": "present"},
        }
    )
    assert look(external).names == ("zk-1", "zk-2", "2001:db8::3")
    assert look(external).paths == look(external).files == look(external).sums == ()
    assert look(None).arguments == ["disk", "/var/lib/docker"]


def test_what_hosts_are_asked_about_disks_and_sources() -> None:
    asked = look(wanted(docker_engine={"config": {"data-root": "/data/docker"}}))
    assert asked.disks == (
        "/data/docker",
        "/apps/logs/zookeeper",
        "/apps/logs/engine",
        "/apps/logs/proxy",
        "/apps/logs/sdk",
    )
    assert (asked.source, asked.proxy) == ("distro", None)
    for odd in ("/a|b", "/a\nb", "data", 7):
        assert look(wanted(docker_engine={"config": {"data-root": odd}})).disks[0] == (
            "/var/lib/docker"
        )


@pytest.mark.parametrize("file", ["soa.py", "bootstrap.py"])
def test_the_deploy_composes_the_roles_in_the_surveys_order(file: str) -> None:
    tree = ast.parse((ROOT / "deploy" / file).read_text())
    modules = {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    called = [
        modules[node.value.func.id]
        for node in tree.body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
    ]
    assert called[0] == "roles.run.survey"
    roles = [name.removesuffix(".plan") for name in (role.__name__ for role in SYSTEM)]  # type: ignore[attr-defined]
    assert [str(name).removesuffix(".deploy") for name in called[1:]] == roles


def test_a_bare_fleet_changes_in_that_order() -> None:
    observed = bare(address_of("app-1"))
    found = fleet(member("app-1", observed=observed), "registry-1", "sdk-1")
    changes = [change for role in SYSTEM for change in role.plan(found)]
    order = [change.role for change in changes]
    assert list(dict.fromkeys(order)) == [
        "docker_engine",
        "images",
        "registry",
        "soa_engine",
        "proxy",
        "sdk",
    ]
    assert host_check.check(found) == []


def refused(*roles: Any) -> list[str]:
    """What refuses a run; nothing where it goes on."""
    try:
        survey(roles)
    except DeployError as error:
        return str(error).split("\n  ")[1:]
    return []


OPS = {"name": "ops", "keys": [ANN], "lock_passwords": False}


@pytest.mark.parametrize(
    "as_user, made, expected",
    [
        (
            "ops",
            None,
            "app-1: host_setup.user: the inventory's own login, as ops, does not work there yet, "
            "and nothing says that it shall; say it in group_data/all.py: host_setup = "
            '{"user": {"name": "ops", "keys": ["ssh-ed25519 AAAA... you"]}, ...}',
        ),
        (
            "debian",
            OPS,
            "app-1: host_setup.user.name: the inventory's own login, as debian, does not work "
            "there yet, and the user that is made there is ops: debian would still not be let in; "
            'have the inventory log in as that one ("ssh_user": "ops"), or name debian here',
        ),
        ("ops", OPS, None),
    ],
)
def test_a_host_that_would_not_let_the_inventorys_login_in_is_refused(
    stack: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    as_user: str,
    made: dict[str, Any] | None,
    expected: str | None,
) -> None:
    monkeypatch.setattr("roles.run.survey.ordinary_user", lambda host: as_user)
    for has_entered, told in ((False, None), (True, expected)):
        monkeypatch.setattr("roles.run.survey.entered_once", lambda host, it=has_entered: it)
        hosts(stack, "app-1", app_1={"host_setup": {"user": made}})
        found = [problem for problem in refused(host_setup) if "the inventory's own" in problem]
        assert found == ([told] if told else [])


def test_passwords_are_not_locked_where_no_login_can_be_tried(stack: ExitStack) -> None:
    made = {"name": "ops", "keys": [ANN], "sudo": False}
    setup = Setup(sshd=SAID_YES)
    paths = dict.fromkeys(SYSTEM_PATHS, REGULAR)
    observed = replace(fitted("198.18.0.11"), setup=setup, paths=paths)
    hosts(stack, "app-1", observed={"app-1": observed}, app_1={"host_setup": {"user": made}})
    [problem] = refusal((host_setup,))
    assert problem.startswith("app-1: host_setup.user.lock_passwords: this host is not reached by")
