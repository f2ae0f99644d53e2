from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roles.container import commands
from roles.container.options import Health
from roles.container.spec import ContainerSpec
from roles.observed import Container

SPEC = ContainerSpec(
    part="soa_engine",
    name="engine",
    image="engine:1",
    environment={"EXPORT_IP": "198.18.0.11", "PASSWORD": "secret"},
    network="bridge",
    publish=("198.18.0.11:1080:1080",),
    volumes=("/apps/logs/engine:/usr/local/engine/logs",),
    user="10080:10080",
    restart="unless-stopped",
    memory_mb=256,
    pids=128,
    stop_timeout_s=30,
    cap_drop=("ALL",),
    no_new_privileges=True,
    log_options={"max-size": "10m", "max-file": "3"},
)


def line(spec: ContainerSpec) -> str:
    words = commands.run(spec)
    words[words.index(f"dockyard.spec={spec.label}")] = "dockyard.spec=..."
    return shlex.join(words)


def test_run() -> None:
    assert line(SPEC) == (
        "docker run --detach --name engine --env-file /dev/stdin "
        "--label dockyard.part=soa_engine --label dockyard.spec=... "
        "--log-driver json-file --log-opt max-size=10m --log-opt max-file=3 "
        "--network bridge --restart unless-stopped --stop-timeout 30 "
        "--publish 198.18.0.11:1080:1080 --volume /apps/logs/engine:/usr/local/engine/logs "
        "--user 10080:10080 --cap-drop ALL --security-opt no-new-privileges "
        "--memory 256m --pids-limit 128 engine:1"
    )


def test_run_with_nothing_that_can_be_left_away() -> None:
    spec = replace(
        SPEC,
        user=None,
        cap_drop=(),
        no_new_privileges=False,
        memory_mb=None,
        pids=None,
        publish=(),
        volumes=(),
        network="host",
    )
    assert line(spec) == (
        "docker run --detach --name engine --env-file /dev/stdin "
        "--label dockyard.part=soa_engine --label dockyard.spec=... "
        "--log-driver json-file --log-opt max-size=10m --log-opt max-file=3 "
        "--network host --restart unless-stopped --stop-timeout 30 engine:1"
    )  # fmt: skip


def test_run_with_several_ports_and_volumes() -> None:
    spec = replace(SPEC, publish=("a:1:1", "a:2:2"), volumes=("/x:/x", "/y:/y"))
    assert "--publish a:1:1 --publish a:2:2 --volume /x:/x --volume /y:/y" in line(spec)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"labels": {"a": "x y", "b": ""}}, ["--label", "a=x y", "--label", "b="]),
        ({"log_options": {"tag": "{{.Name}}"}}, ["--log-opt", "tag={{.Name}}"]),
        ({"log_driver": "journald"}, ["--log-driver", "journald"]),
        ({"tmpfs": {"/a": "size=1m", "/b": ""}}, ["--tmpfs", "/a:size=1m", "--tmpfs", "/b"]),
        ({"read_only": True}, ["--read-only"]),
        ({"cap_add": ("CHOWN", "KILL")}, ["--cap-add", "CHOWN", "--cap-add", "KILL"]),
        ({"cpus": 0.5}, ["--cpus", "0.500"]),
        ({"cpus": 2}, ["--cpus", "2.000"]),
        ({"ulimits": {"nofile": "1:2"}}, ["--ulimit", "nofile=1:2"]),
        ({"health": Health(command="none")}, ["--no-healthcheck"]),
        (
            {"health": Health(command="-x || y", interval_s=5, timeout_s=4, retries=2)},
            [
                *("--health-cmd", "-x || y", "--health-interval", "5s", "--health-timeout", "4s"),
                *("--health-retries", "2", "--health-start-period", "1s"),
            ],
        ),
        ({"entrypoint": "/bin/x"}, ["--entrypoint", "/bin/x"]),
        ({"restart": "on-failure:3"}, ["--restart", "on-failure:3"]),
        ({"command": ("-c", "a b")}, ["engine:1", "-c", "a b"]),
        ({"network": "backend"}, ["--network", "backend"]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_each_field_becomes(changes: dict[str, Any], words: list[str]) -> None:
    made = commands.run(replace(SPEC, **changes))
    (start,) = [at for at in range(len(made)) if made[at : at + len(words)] == words]
    is_command = "command" in changes
    assert (start + len(words) == len(made)) is is_command
    assert is_command or start < made.index("engine:1")


@pytest.mark.parametrize(
    "changes, fields, expected",
    [
        ({}, {"pids"}, "docker update --pids-limit 128 engine"),
        ({"pids": None}, {"pids"}, "docker update --pids-limit -1 engine"),
        ({"restart": "on-failure:3"}, {"restart"}, "docker update --restart on-failure:3 engine"),
        ({}, {"memory_mb"}, "docker update --memory 256m --memory-swap 512m engine"),
        ({}, {"memory_swap_mb"}, "docker update --memory 256m --memory-swap 512m engine"),
        ({"cpus": 0.5}, {"cpus"}, "docker update --cpus 0.500 engine"),
        (
            {"cpus": 1},
            commands.IN_PLACE,
            "docker update --restart unless-stopped --memory 256m --memory-swap 512m "
            "--cpus 1.000 --pids-limit 128 engine",
        ),
    ],
)
def test_update(changes: dict[str, Any], fields: Collection[str], expected: str) -> None:
    words = commands.update(replace(SPEC, **changes), fields)
    assert shlex.join(words[words.index("docker") :]) == expected


class Host:
    """This machine with a `docker` that writes down what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.log, self.records = folder / "log", folder / "records"
        self._folder = folder

    def update(self, docker: str) -> int:
        program = self._folder / "docker"
        program.write_text(f'#!/bin/sh\necho "$*" >>{self.log}\n{docker}\n')
        program.chmod(0o755)
        words = commands.update(SPEC, {"pids"})
        words[2] = words[2].replace(commands.UPDATED, str(self.records))
        path = f"{self._folder}:{os.environ['PATH']}"
        return subprocess.run(words, env={"PATH": path}, check=False).returncode


def test_an_update_is_written_down(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.update("[ $1 != inspect ] || echo 0a1b") == 0
    assert host.log.read_text().splitlines()[0] == "update --pids-limit 128 engine"
    assert [file.name for file in host.records.iterdir()] == ["engine"]
    container, _, record = (host.records / "engine").read_text().partition(" ")
    assert container == "0a1b"
    assert json.loads(record) == {
        "restart": "unless-stopped",
        "memory_mb": 256,
        "memory_swap_mb": 512,
        "cpus": None,
        "pids": 128,
    }


def test_an_update_that_fails_is_not_written_down(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.update("exit 3") == 3
    assert not host.records.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ("$(id); a 'b",)},
        {"entrypoint": "/bin/a b"},
        {"name": "a; rm -rf /"},
        {"image": "$(id):1"},
        {"volumes": ("/apps/it's here:/x y",)},
        {"volumes": ('/apps/"`id`":/$HOME',)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_hostile_value_stays_one_word(changes: dict[str, Any]) -> None:
    (value,) = changes.values()
    words = commands.run(replace(SPEC, **changes))
    assert (value[0] if isinstance(value, tuple) else value) in words
    more = {"command": 1, "entrypoint": 2}.get(next(iter(changes)), 0)
    assert len(words) == len(commands.run(SPEC)) + more


def test_no_value_of_a_variable_is_in_the_command() -> None:
    command = shlex.join(commands.run(SPEC))
    assert "secret" not in command
    assert "198.18.0.11:1080" in command
    assert "=198.18.0.11" not in command


def test_variables_go_in_by_a_file() -> None:
    spec = replace(SPEC, environment={"A": "1", "EMPTY": "", "EQUALS": "a=b", "UTF": "ü", "S": " "})
    assert commands.environment_file(spec) == "A=1\nEMPTY=\nEQUALS=a=b\nUTF=ü\nS= \n#end\n".encode()


def test_no_variables() -> None:
    assert commands.environment_file(replace(SPEC, environment={})) == b"#end\n"


@pytest.mark.parametrize(
    "words, expected",
    [
        (commands.restart("engine", 30), "docker restart --time 30 engine"),
        (commands.signal("engine", "SIGUSR1"), "docker kill --signal SIGUSR1 engine"),
    ],
    ids=lambda value: value.split()[1] if isinstance(value, str) else "",
)
def test_other_commands(words: list[str], expected: str) -> None:
    assert shlex.join(words) == expected


def found_with(policy: Any) -> Container:
    return Container("engine", "engine:0", True, {"HostConfig": {"RestartPolicy": policy}})


@pytest.mark.parametrize(
    "found, policy",
    [
        (found_with({"Name": "always", "MaximumRetryCount": 0}), "always"),
        (found_with({"Name": "on-failure", "MaximumRetryCount": 3}), "on-failure:3"),
        (found_with({"Name": "", "MaximumRetryCount": 0}), "no"),
        (found_with(None), "no"),
        (Container("engine", "engine:0", True), "no"),
    ],
    ids=["found", "with-a-count", "empty", "untold", "not-inspected"],
)
def test_the_restart_policy_to_go_back_to(found: Container, policy: str) -> None:
    assert commands.policy_of(found) == policy
