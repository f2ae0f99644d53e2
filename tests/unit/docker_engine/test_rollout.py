"""How engines are changed under running parts, with hosts that only write down."""

from __future__ import annotations

import io
import logging
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.container.instance import Instance
from roles.container.rollout import Rollout
from roles.docker_engine import rollout
from roles.docker_engine.rollout import (
    PARTS,
    ROLLOUT,
    SERVICE,
    EngineRollout,
    running_containers,
    running_parts,
)
from roles.observed import Container, Observed, Service
from roles.observed.channel import RemoteError, Result
from roles.run.conductor import Away, NotProven
from roles.run.fleet import Fleet, Member
from tests.unit.build import (
    bare,
    change,
    fitted,
    fleet,
    foreign,
    look_again,
    member,
    serving,
    state_of,
)
from tests.unit.docker_engine.build import files, vendors

RESTARTS: dict[str, Any] = {"config": {"data-root": "/data"}}
AFTER = {"daemon_json": '{"data-root": "/data"}'}


def system(**data: Any) -> Fleet:
    """Two hosts with engine and proxy, one with the registry; all serve."""
    return serving(
        fleet(
            member("app-1", **data),
            member("app-2", **data),
            member("registry-1", **data),
        )
    )


def named(observed: Observed, *running: str, stopped: tuple[str, ...] = ()) -> Observed:
    found = [Container(name, "image:1", True) for name in running]
    found += [Container(name, "image:1", False) for name in stopped]
    return replace(observed, containers=tuple(found))


@pytest.mark.parametrize(
    "name, observed, roles, containers",
    [
        ("app-1", named(fitted(), "engine", "proxy"), ["soa_engine", "proxy"], ["engine", "proxy"]),
        ("app-1", named(fitted(), "proxy", stopped=("engine",)), ["proxy"], ["proxy"]),
        ("app-1", named(fitted(), "zookeeper", "somebodys"), [], []),
        ("app-1", bare(), [], []),
        ("registry-1", named(fitted(), "zookeeper"), ["registry"], ["zookeeper"]),
        ("sdk-1", named(fitted(), "sdk"), [], ["sdk"]),
        ("app-1", named(fitted(), "engine-next"), ["soa_engine"], ["engine-next"]),
    ],
    ids=["both", "one-stopped", "others", "bare", "registry", "sdk", "as-the-next"],
)
def test_what_runs_on_a_host(
    name: str, observed: Observed, roles: list[str], containers: list[str]
) -> None:
    found = member(name, observed=observed)
    assert [part.role for part, _ in running_parts(found)] == roles
    assert list(running_containers(found)) == containers


def test_what_runs_on_a_host_of_several_groups() -> None:
    groups = ("proxy", "engine", "registry", "sdk")
    data: dict[str, Any] = {
        "soa_engine": {"stop_timeout_s": 30},
        "proxy": {"stop_timeout_s": 40},
        "registry": {"server": {"stop_timeout_s": 50}},
        "sdk": {"stop_timeout_s": 60},
    }
    observed = named(fitted(), "proxy", "sdk", "engine", "zookeeper")
    found = member("app-1", groups, observed, **data)
    assert [(part.role, instance.name) for part, instance in running_parts(found)] == [
        ("registry", "zookeeper"),
        ("soa_engine", "engine"),
        ("proxy", "proxy"),
    ]
    assert running_containers(found) == {"zookeeper": 50, "engine": 30, "proxy": 40, "sdk": 60}


class Hosts:
    """What was done to which host, in order, and what it is afterwards."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.aside: list[tuple[str, str, Away]] = []
        self.proven: list[tuple[str, str, Mapping[str, str]]] = []
        self.scripts: dict[str, str] = {}
        self.cargo: dict[str, set[str]] = {}
        self.limits_s: dict[str, float] = {}
        self.fails: dict[str, Exception | Result] = {}
        self.says = b""
        self.after: dict[str, Observed] = {}

    def run(
        self,
        state: State,
        host: Host,
        command: str,
        *,
        stdin: Iterable[bytes],
        timeout_s: float,
        on_stdout: Callable[[bytes], None],
        **_: Any,
    ) -> Result:
        self.done.append(f"apply {host.name}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stdin))) as tar:
            text = (tar.extractfile("run.sh") or io.BytesIO()).read().decode()
            self.cargo[host.name] = {*tar.getnames()} - {"run.sh"}
        self.scripts[host.name] = text[text.index("\nonly_one ") + 1 :]
        self.limits_s[host.name] = timeout_s
        for chunk in (self.says[:3], self.says[3:]):
            on_stdout(chunk)
        said = self.fails.get(f"apply {host.name}", Result(0, b"", b""))
        if isinstance(said, Exception):
            raise said
        return said

    def observe(self, state: State, host: Host) -> Observed:
        return self.after[host.name]

    def take(self, step: str) -> None:
        self.done.append(step)
        said = self.fails.get(step)
        if isinstance(said, Exception):
            raise said

    def part(self, role: str) -> Rollout:
        @contextmanager
        def aside(
            state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
        ) -> Iterator[None]:
            self.aside.append((member.name, instance.name, away))
            self.take(f"drain {role} {member.name}")
            try:
                yield
            finally:
                self.done.append(f"undrain {role} {member.name}")

        def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
            self.proven.append((member.name, instance.name, instance.environment))
            self.take(f"prove {role} {member.name}")

        def ready(state: State, fleet: Fleet, member: Member) -> None:
            self.take(f"ready {role} {member.name}")

        real = next(part for part in PARTS if part.role == role)
        return Rollout(role, real.specify, prove=prove, aside=aside, ready=ready)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Hosts:
    found = Hosts()
    caplog.set_level(logging.INFO, logger="pyinfra")
    monkeypatch.setattr(rollout, "PARTS", tuple(found.part(part.role) for part in PARTS))
    monkeypatch.setattr("roles.docker_engine.rollout.channel.run", found.run)
    monkeypatch.setattr(rollout, "observe", found.observe)
    return found


def conducted(found: Fleet, engines: EngineRollout = ROLLOUT) -> bool | None:
    """Run what the operation would yield; None where it yields nothing."""
    state = state_of(found)
    commands = list(engines.commands(state))
    if not commands:
        return None
    (command,) = commands
    host = state.inventory.get_host(found.members[0].name)
    done: bool = command.function(state, host)  # type: ignore[attr-defined]
    return done


def afterwards(found: Fleet, **changes: Any) -> dict[str, Observed]:
    return {m.name: replace(m.observed, **changes) for m in found}


def treated(name: str, *roles: str) -> list[str]:
    """The steps of a host up to its proof."""
    return [
        *(f"drain {role} {name}" for role in roles),
        f"apply {name}",
        *(f"undrain {role} {name}" for role in reversed(roles)),
    ]


def test_the_real_parts_are_proven_registry_first() -> None:
    assert [part.role for part in PARTS] == ["registry", "soa_engine", "proxy"]


def test_nothing_is_yielded_where_nothing_is_to_do(hosts: Hosts) -> None:
    assert conducted(system()) is None
    outside = change(system(docker_engine=RESTARTS), "app-1", in_limit=False)
    outside = change(outside, "app-2", in_limit=False)
    assert conducted(change(outside, "registry-1", in_limit=False)) is None
    assert hosts.done == []


def test_hosts_are_drained_changed_and_proven_one_after_the_other(hosts: Hosts) -> None:
    found = system(docker_engine=RESTARTS)
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert hosts.done == [
        *treated("app-1", "soa_engine", "proxy"),
        *(f"prove {role} app-1" for role in ("soa_engine", "proxy")),
        *treated("app-2", "soa_engine", "proxy"),
        *(f"prove {role} app-2" for role in ("soa_engine", "proxy")),
        *treated("registry-1", "registry"),
        "prove registry registry-1",
    ]
    assert hosts.aside[:2] == [
        ("app-1", "engine", frozenset({"app-1"})),
        ("app-1", "proxy", frozenset({"app-1"})),
    ]
    assert [(host, name) for host, name, _ in hosts.proven[:2]] == [
        ("app-1", "engine"),
        ("app-1", "proxy"),
    ]
    assert hosts.proven[0][2]["EXPORT_IP"] == "198.18.0.11"
    assert hosts.scripts["app-1"] == (
        "only_one 300\n"
        "stop_containers 30 engine 30 proxy\n"
        "configure daemon.json restart 60\n"
        "service_up 60\n"
        "keep\n"
    )


def test_whatever_batch_is_wanted_engines_go_one_at_a_time(hosts: Hosts) -> None:
    found = system(docker_engine=RESTARTS, rollout={"batch": "100%", "canary": False})
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert {away for _, _, away in hosts.aside} == {
        frozenset({name}) for name in ("app-1", "app-2", "registry-1")
    }


def test_the_host_of_the_registrys_leader_goes_last(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "roles.registry.rollout.modes",
        lambda state, members: {m.name: "follower" for m in members} | {"registry-1": "leader"},
    )
    names = ("registry-1", "registry-2", "app-1")
    found = serving(fleet(*(member(name, docker_engine=RESTARTS) for name in names)))
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    applied = [step for step in hosts.done if step.startswith("apply")]
    assert applied == ["apply registry-2", "apply app-1", "apply registry-1"]


def test_what_serves_under_the_next_ones_name_is_set_aside_and_proven_so(hosts: Hosts) -> None:
    found = system(docker_engine=RESTARTS)
    ours = found["app-1"].observed.container("engine")
    assert ours
    found = look_again(found, "app-1", containers=(replace(ours, name="engine-next"),))
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert hosts.aside[0][:2] == hosts.proven[0][:2] == ("app-1", "engine-next")


def test_hosts_outside_the_limit_are_not_touched(hosts: Hosts) -> None:
    found = change(system(docker_engine=RESTARTS), "app-1", in_limit=False)
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    ready, rest = hosts.done[:2], hosts.done[2:]
    assert ready == ["ready soa_engine app-1", "ready proxy app-1"]
    assert {line.split()[-1] for line in rest} == {"app-2", "registry-1"}


def test_none_is_interrupted_while_another_does_not_serve(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    found = look_again(system(docker_engine=RESTARTS), "app-1", **AFTER)
    stopped = tuple(replace(c, running=False) for c in found["app-1"].observed.containers)
    found = look_again(found, "app-1", containers=stopped)
    hosts.fails["ready soa_engine app-1"] = NotProven("port 1080 does not listen")
    assert conducted(found) is False
    assert hosts.done == ["ready soa_engine app-1"]
    assert (
        "app-1: soa_engine is not ready, so no other host is interrupted: port 1080 does not listen"
    ) in caplog.text


def test_hosts_that_have_no_part_of_ours_yet_hold_nobody_up(hosts: Hosts) -> None:
    found = look_again(system(docker_engine=RESTARTS), "app-1", containers=(), **AFTER)
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert not [line for line in hosts.done if line.startswith("ready")]


def test_what_interrupts_nobody_waits_for_nobody(hosts: Hosts) -> None:
    config = {"debug": True}
    found = look_again(
        system(docker_engine={"config": config}), "app-1", daemon_json='{"debug": true}'
    )
    hosts.fails["ready soa_engine app-1"] = NotProven("no sign")
    hosts.after = afterwards(found, daemon_json='{"debug": true}')
    assert conducted(found) is True
    assert sorted(hosts.done) == ["apply app-2", "apply registry-1"]


def test_what_a_change_may_take(hosts: Hosts) -> None:
    limits = {"lock_timeout_s": 1000, "install_timeout_s": 2000, "start_timeout_s": 3000}
    found = system(docker_engine={**RESTARTS, **limits}, soa_engine={"stop_timeout_s": 40})
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert hosts.limits_s["app-1"] == 3 * 1000 + 2000 + 5 * 3000 + 60 + 40 + 30


def test_a_reload_interrupts_nobody(hosts: Hosts) -> None:
    found = system(docker_engine={"config": {"debug": True}})
    hosts.after = afterwards(found, daemon_json='{"debug": true}')
    assert conducted(found) is True
    assert sorted(hosts.done) == ["apply app-1", "apply app-2", "apply registry-1"]
    assert "stop_containers" not in hosts.scripts["app-1"]


def test_a_bare_host_has_nobody_to_drain(hosts: Hosts) -> None:
    found = change(system(), "app-1", observed=bare())
    hosts.after = afterwards(system())
    assert conducted(found) is True
    assert hosts.done == ["apply app-1", "prove soa_engine app-1", "prove proxy app-1"]
    hosts.done.clear()
    hosts.after = {"app-1": fitted()}
    assert conducted(found) is True
    assert hosts.done == ["apply app-1"]


def test_of_a_host_with_other_containers_only_ours_are_stopped(hosts: Hosts) -> None:
    found = system(docker_engine=RESTARTS)
    ours = found["app-1"].observed.container("engine")
    assert ours
    found = look_again(found, "app-1", containers=(ours, foreign("somebodys")))
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert "stop_containers 30 engine\n" in hosts.scripts["app-1"]


@pytest.mark.parametrize(
    "step, before, undrained",
    [
        ("drain proxy app-1", ["drain soa_engine"], ["undrain soa_engine"]),
        (
            "apply app-1",
            ["drain soa_engine", "drain proxy"],
            ["undrain proxy", "undrain soa_engine"],
        ),
        (
            "prove soa_engine app-1",
            ["drain soa_engine", "drain proxy", "apply", "undrain proxy", "undrain soa_engine"],
            [],
        ),
    ],
)
def test_a_failure_ends_the_rollout(
    hosts: Hosts,
    caplog: pytest.LogCaptureFixture,
    step: str,
    before: list[str],
    undrained: list[str],
) -> None:
    found = system(docker_engine=RESTARTS)
    hosts.after = afterwards(found, **AFTER)
    hosts.fails[step] = NotProven("no sign")
    assert conducted(found) is False
    assert hosts.done == [
        *(f"{taken} app-1" for taken in before),
        step,
        *(f"{taken} app-1" for taken in undrained),
    ]
    errors = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert errors == [
        "app-1: set data-root in /etc/docker/daemon.json and restart the engine: no sign",
        "The rollout stopped; not yet touched: app-2, registry-1",
    ]


@pytest.mark.parametrize(
    "said, text",
    [
        (Result(1, b"", b"apt can't install the engine:\nE: broken\n"), "E: broken"),
        (Result(7, b"", b""), "a step exited with 7"),
        (RemoteError("the connection broke"), "the connection broke"),
    ],
    ids=["told", "silent", "connection"],
)
def test_a_host_that_fails_says_why(
    hosts: Hosts, caplog: pytest.LogCaptureFixture, said: Exception | Result, text: str
) -> None:
    found = system(docker_engine=RESTARTS)
    hosts.fails["apply app-1"] = said
    assert conducted(found) is False
    assert text in caplog.text


def test_what_is_left_to_do_is_no_success(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    found = system(docker_engine=RESTARTS)
    hosts.after = afterwards(found, docker_service=Service(enabled=False, active=True))
    assert conducted(found) is False
    assert hosts.done == treated("app-1", "soa_engine", "proxy")
    assert (
        "still to do afterwards: app-1: docker_engine: set data-root in /etc/docker/daemon.json "
        "and restart the engine: absent (interrupts); app-1: docker_engine: enable and start "
        "docker.service: disabled"
    ) in caplog.text


def test_what_a_host_says_meanwhile_is_shown(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    found = system(docker_engine=RESTARTS)
    hosts.after = afterwards(found, **AFTER)
    hosts.says = b"say: stopping \xc3\xbc\nsay: starting \xff\nhalf"
    assert conducted(found) is True
    told = [record.message for record in caplog.records if "app-1" in record.message]
    assert any("stopping \u00fc" in line for line in told)
    assert any("starting \ufffd" in line for line in told)
    assert "say: " not in caplog.text
    assert "half" not in caplog.text


def test_what_this_machine_cannot_bring_changes_no_host(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"source": "files", "files": files("docker-ce_1-1_amd64.deb", folder="/none")}
    found = system(docker_engine=RESTARTS)
    late = member("registry-1", docker_engine=broken)
    assert conducted(change(found, "registry-1", wanted=late.wanted)) is False
    assert hosts.done == []
    assert "registry-1: docker_engine.files: '/none/docker-ce_1-1_amd64.deb'" in caplog.text


def test_a_configuration_brings_no_package(hosts: Hosts) -> None:
    names = ("docker-ce_26.1.5-1~debian.12~bookworm_amd64.deb",)
    engine = {"source": "files", "files": files(*names, folder="/none"), **RESTARTS}
    found = system(docker_engine=engine)
    for name in ("app-1", "app-2", "registry-1"):
        observed = vendors(containers=found[name].observed.containers)
        found = change(found, name, observed=observed)
    hosts.after = afterwards(found, **AFTER)
    assert conducted(found) is True
    assert hosts.cargo["app-1"] == {"apt.conf", "daemon.json"}


def test_a_service_is_restarted_by_hand_whatever_its_packages_come_from(hosts: Hosts) -> None:
    broken = {"source": "files", "files": files("docker-ce_1-1_amd64.deb", folder="/none")}
    found = system(action="restart", docker_engine=broken)
    hosts.after = afterwards(found)
    assert conducted(found, SERVICE) is True
    assert hosts.cargo["app-1"] == set()


def test_an_engine_that_is_stopped_by_hand_leaves_nobody_to_prove(hosts: Hosts) -> None:
    found = system(action="stop")
    down = {"docker_service": Service(True, False), "docker_version": None, "containers": ()}
    hosts.after = afterwards(found, **down)
    assert conducted(found, SERVICE) is True
    assert hosts.done == [
        *treated("app-1", "soa_engine", "proxy"),
        *treated("app-2", "soa_engine", "proxy"),
        *treated("registry-1", "registry"),
    ]
    assert hosts.scripts["app-1"].endswith("leave_stopped\nservice_down\n")


def test_an_engine_that_is_started_by_hand_is_proven_with_its_parts(hosts: Hosts) -> None:
    found = system(action="start")
    down = {"docker_service": Service(True, False), "docker_version": None, "containers": ()}
    stopped = look_again(found, "app-1", **down)
    hosts.after = afterwards(found)
    assert conducted(stopped, SERVICE) is True
    assert hosts.done == ["apply app-1", "prove soa_engine app-1", "prove proxy app-1"]


def test_an_engine_is_restarted_by_hand_once(hosts: Hosts) -> None:
    found = system(action="restart")
    hosts.after = afterwards(found)
    assert conducted(found, SERVICE) is True
    assert hosts.done.count("apply app-1") == 1
    assert hosts.done[:3] == ["drain soa_engine app-1", "drain proxy app-1", "apply app-1"]
