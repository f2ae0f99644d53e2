from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from roles.container import commands
from roles.container.spec import ContainerSpec

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
        SPEC, user=None, memory_mb=None, pids=None, publish=(), volumes=(), network="host"
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
    "changes",
    [
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
    assert len(words) == len(commands.run(SPEC))


def test_no_value_of_a_variable_is_in_the_command() -> None:
    command = shlex.join(commands.run(SPEC))
    assert "secret" not in command
    assert "198.18.0.11:1080" in command
    assert "=198.18.0.11" not in command


def test_variables_go_in_by_a_file() -> None:
    spec = replace(SPEC, environment={"A": "1", "EMPTY": "", "EQUALS": "a=b", "UTF": "ü", "S": " "})
    assert commands.environment_file(spec) == "A=1\nEMPTY=\nEQUALS=a=b\nUTF=ü\nS= \n".encode()


def test_no_variables() -> None:
    assert commands.environment_file(replace(SPEC, environment={})) == b""


@pytest.mark.parametrize(
    "words, expected",
    [
        (commands.stop("engine", 30), "docker stop --time 30 engine"),
        (commands.start("engine"), "docker start engine"),
        (commands.remove("engine"), "docker rm --volumes engine"),
        (commands.signal("engine", "SIGUSR1"), "docker kill --signal SIGUSR1 engine"),
        (commands.last_logs("engine"), "docker logs --tail 15 engine"),
    ],
    ids=lambda value: value.split()[1] if isinstance(value, str) else "",
)
def test_other_commands(words: list[str], expected: str) -> None:
    assert shlex.join(words) == expected


def test_a_running_container_is_never_removed_by_force() -> None:
    assert not {"-f", "--force"} & set(commands.remove("engine"))
