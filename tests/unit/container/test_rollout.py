"""How changes are carried out, on this machine with a `docker` that only writes down."""

from __future__ import annotations

import logging
import os
from pathlib import Path as File

import pytest
from pyinfra.api import Host, State

from roles.container.plan import container_change
from roles.container.rollout import Rollout, converge
from roles.container.spec import ContainerSpec
from roles.observed import Container
from roles.run.conductor import NotProven
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import container
from tests.unit.build import (
    fitted,
    fleet,
    local_state,
    look_again,
    member,
    running,
    serving,
    state_of,
)

FLEET = fleet(member("app-1", soa_engine={"environment": {"PASSWORD": "se cret"}}), "registry-1")
SPEC = container(FLEET, FLEET["app-1"])


class Docker:
    """What the `docker` in PATH was called with, and what it says."""

    def __init__(self, folder: File) -> None:
        self._log, self._program = folder / "log", folder / "docker"
        self.stdin = folder / "stdin"
        self.says("")

    def says(self, script: str) -> None:
        log = f"echo $1 >>{self._log}\n[ $1 != run ] || cat >{self.stdin}"
        self._program.write_text(f"#!/bin/sh\n{log}\n{script}\n")
        self._program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().split() if self._log.exists() else []


@pytest.fixture
def docker(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> Docker:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Docker(tmp_path)


@pytest.fixture
def state() -> State:
    return local_state("app-1", "registry-1")


@pytest.fixture
def host(state: State) -> Host:
    found: Host = state.inventory.get_host("app-1")
    return found


def other(spec: ContainerSpec) -> Container:
    """A container that was made otherwise."""
    made = running(spec)
    config = dict((made.inspect or {})["Config"], Labels={"dockyard.part": spec.part})
    return Container(made.name, "engine:0", True, {"Config": config})


@pytest.mark.parametrize(
    "found, calls",
    [
        (None, ["run"]),
        (running(SPEC, is_running=False), ["start"]),
        (other(SPEC), ["stop", "rm", "run"]),
    ],
    ids=["create", "start", "replace"],
)
def test_a_container_converges(
    state: State, host: Host, docker: Docker, found: Container | None, calls: list[str]
) -> None:
    change = container_change("app-1", SPEC, fitted(containers=(found,) if found else ()))
    assert change
    converge(state, host, SPEC, change)
    assert docker.calls == calls


def test_a_container_is_told_its_variables_by_stdin(
    state: State, host: Host, docker: Docker
) -> None:
    change = container_change("app-1", SPEC, fitted())
    assert change
    converge(state, host, SPEC, change)
    assert "PASSWORD=se cret\n" in docker.stdin.read_text()
    assert "EXPORT_IP=198.18.0.11\n" in docker.stdin.read_text()


class Story:
    """What the steps of a rollout told, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, name: str) -> object:
        def take(state: State, fleet: Fleet, member: Member) -> None:
            self.steps.append(f"{name} {member.name}")

        return take

    def rollout(self, **instead: object) -> Rollout:
        steps = {name: self.step(name) for name in ("drain", "prove", "undrain")}
        return Rollout("soa_engine", container, **{**steps, **instead})  # type: ignore[arg-type]


def conducted(rollout: Rollout, found: Fleet) -> bool | None:
    """Run what the operation would yield; None where it yields nothing."""
    state = state_of(found)
    commands = list(rollout.commands(state))
    if not commands:
        return None
    (command,) = commands
    host = state.inventory.get_host(found.members[0].name)
    done: bool = command.function(state, host)  # type: ignore[attr-defined]
    return done


def test_a_rollout_yields_nothing_where_nothing_is_to_do(docker: Docker) -> None:
    assert conducted(Story().rollout(), serving(FLEET)) is None
    assert docker.calls == []


def test_what_replaces_is_drained_and_proven(docker: Docker) -> None:
    story = Story()
    found = look_again(FLEET, "app-1", containers=(other(SPEC),))
    assert conducted(story.rollout(), found) is True
    assert story.steps == ["drain app-1", "prove app-1"]
    assert docker.calls == ["stop", "rm", "run"]


def test_what_does_not_serve_yet_is_not_drained(docker: Docker) -> None:
    story = Story()
    assert conducted(story.rollout(), FLEET) is True
    assert story.steps == ["prove app-1"]
    assert docker.calls == ["run"]


def test_what_is_not_proven_shows_its_last_words(
    docker: Docker, caplog: pytest.LogCaptureFixture
) -> None:
    def prove(state: State, fleet: Fleet, member: Member) -> None:
        raise NotProven("it is not registered")

    caplog.set_level(logging.INFO, logger="pyinfra")
    docker.says("[ $1 != logs ] || echo 'no such class'")
    assert conducted(Story().rollout(prove=prove), FLEET) is False
    assert "engine: no such class" in caplog.text
    assert "app-1: create container engine: it is not registered" in caplog.text


def test_logs_that_do_not_come_hide_no_failure(
    docker: Docker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prove(state: State, fleet: Fleet, member: Member) -> None:
        raise NotProven("it is not registered")

    monkeypatch.setattr("roles.container.rollout.DOCKER_S", 0.7)
    docker.says("[ $1 != logs ] || sleep 5")
    assert conducted(Story().rollout(prove=prove), FLEET) is False
    assert "app-1: create container engine: it is not registered" in caplog.text


def test_docker_refusing_ends_the_rollout(docker: Docker, caplog: pytest.LogCaptureFixture) -> None:
    docker.says("echo 'port is already allocated' >&2; exit 125")
    assert conducted(Story().rollout(), FLEET) is False
    assert "exited with 125" in caplog.text
    assert "port is already allocated" in caplog.text
    assert "se cret" not in caplog.text
