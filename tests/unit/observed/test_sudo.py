"""How sudo gets a password: by stdin, and by nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path as File
from typing import Any

import pytest
from pyinfra.api import HiddenValue, QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput

from roles.observed import sudo
from tests.unit.build import local_state

PASSWORD = "it's a\u2028 \x0csecret"
"""What some take for the end of a line is a part of it."""
LOGIN = {"_sudo": True, "_sudo_password": PASSWORD}


@pytest.fixture
def fake_sudo(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> File:
    """A sudo that keeps its arguments and the password that it read, and runs the command."""
    program = tmp_path / "sudo"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\n'
        f'read -r password; echo "$password" > {tmp_path}/password\n'
        'while [ "$1" != sh ]; do shift; done; exec "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def run(arguments: dict[str, Any], inner: str, stdin: str = "") -> str:
    line = sudo.command(arguments, StringCommand(inner)).get_raw_value()
    preface = "".join(f"{given}\n" for given in sudo.preface(PASSWORD))
    result = subprocess.run(
        ["sh", "-c", line],
        input=preface + stdin,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_the_password_is_on_stdin_and_in_no_argument(fake_sudo: File) -> None:
    assert run(LOGIN, "cat", stdin="what is sent\n") == "what is sent\n"
    assert (fake_sudo / "password").read_text() == f"{PASSWORD}\n"
    assert PASSWORD not in (fake_sudo / "arguments").read_text()


def test_a_sudo_that_asks_nothing_leaves_the_password_unread(fake_sudo: File) -> None:
    program = fake_sudo / "sudo"
    program.write_text(program.read_text().replace("read -r password", ":"))
    assert run(LOGIN, "cat", stdin="what is sent\n") == "what is sent\n"


def test_options_of_sudo_are_handed_on(fake_sudo: File) -> None:
    more = {"_sudo_user": "www data", "_use_sudo_login": True, "_preserve_sudo_env": True}
    run({**LOGIN, **more}, "true")
    words = (fake_sudo / "arguments").read_text().splitlines()
    assert words[:9] == ["-H", "-S", "-k", "-p", "", "-i", "-E", "-u", "www data"]


@pytest.mark.parametrize("arguments", [{}, {"_sudo": True}, {"_sudo_password": PASSWORD}])
def test_without_sudo_or_a_password_there_is_none(arguments: dict[str, Any]) -> None:
    host = local_state("app-1").inventory.get_host("app-1")
    assert sudo.password_of(host, arguments) is None


def test_a_password_that_was_asked_for_counts() -> None:
    host = local_state("app-1").inventory.get_host("app-1")
    host.connector_data["prompted_sudo_password"] = PASSWORD
    assert sudo.password_of(host, {"_sudo": True}) == PASSWORD


def test_pyinfra_s_own_commands_get_it_by_stdin_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = local_state("app-1").inventory.get_host("app-1")
    ran: list[tuple[StringCommand, dict[str, Any]]] = []

    def note(line: StringCommand, *_: object, **arguments: Any) -> tuple[bool, CommandOutput]:
        ran.append((line, arguments))
        return True, CommandOutput([])

    monkeypatch.setattr(host.connector, "run_shell_command", note)
    sudo.hide_password(host)
    line = StringCommand("echo", QuoteString(HiddenValue("hidden")))
    more = {"_env": {"A": "b c"}, "_chdir": "/tmp", "_timeout": 5, "_stdin": "one line"}
    host.connector.run_shell_command(line, **LOGIN, **more)  # type: ignore[arg-type]
    [(command, arguments)] = ran
    assert PASSWORD not in command.get_raw_value()
    assert "A=b c" in command.get_raw_value() and "cd /tmp" in command.get_raw_value()
    assert "hidden" in command.get_raw_value() and "hidden" not in str(command)
    assert arguments == {
        "_timeout": 5,
        "_stdin": [*sudo.preface(PASSWORD), "one line"],
    }

    host.connector.run_shell_command(line, False, False, _sudo=True)
    assert ran[1] == (line, {"_sudo": True})
