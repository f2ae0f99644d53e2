"""Steps of the script that no replacement asks for."""

from __future__ import annotations

import subprocess

import pytest

from roles.container.exchange import Exchange
from tests.unit.container.fake_docker import Docker

FOUND = "id 2026-11-24T18:00:00Z true"


def ask_back(docker: Docker, is_now: str) -> subprocess.CompletedProcess[bytes]:
    docker.becomes("id", "true 0")
    docker.has_id(is_now)
    command = Exchange("engine", 30).command(["while_it_is", FOUND, "kill", "--signal", "X", "id"])
    return subprocess.run(command, capture_output=True, check=False)


def test_the_process_that_was_asked_to_leave_is_asked_back(docker: Docker) -> None:
    assert ask_back(docker, FOUND).returncode == 0
    assert docker.told == ["kill --signal X id"]


@pytest.mark.parametrize(
    "is_now", [FOUND.replace("true", "false"), FOUND.replace("18", "19")], ids=["stopped", "anew"]
)
def test_another_process_is_left_alone(docker: Docker, is_now: str) -> None:
    assert ask_back(docker, is_now).returncode == 0
    assert docker.told == []


def test_what_docker_refuses_is_said(docker: Docker) -> None:
    docker.refuses("kill --signal X id")
    said = ask_back(docker, FOUND)
    assert (said.returncode, said.stderr) == (
        1,
        b"docker kill exited with 125\nport is already allocated\n",
    )


def test_a_name_of_signs_stays_one_word(docker: Docker) -> None:
    name = "a'b $(touch broken)"
    docker.becomes(name, "true 0")
    command = Exchange(name, 30).command(["stop", name])
    assert subprocess.run(command, check=False).returncode == 0
    assert docker.told == [f"stop --time 30 {name}"]
