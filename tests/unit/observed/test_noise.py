"""What a login shell prints is not what a command prints."""

from __future__ import annotations

import io
from pathlib import Path as File
from queue import Queue
from typing import Any

import pyinfra.connectors.util
import pytest
from pyinfra.api import Host, State, StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from roles.observed import channel
from roles.observed.noise import MARK, SAY_MARK, ignore_noise, own_lines, take_any_bytes
from tests.unit.build import local_state

NOISE = b"Gr\xfc\xdfe\nlast login\n"


def lines(*texts: str, name: str = "stdout") -> list[OutputLine]:
    return [OutputLine(name, text) for text in texts]


@pytest.fixture
def noisy(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> tuple[State, Host]:
    """A host whose `sh` talks first, as a shell with start-up files does."""
    program = tmp_path / "sh"
    program.write_bytes(b"#!/bin/bash\nprintf '" + NOISE + b'\'\nexec /bin/sh "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    state = local_state("app-1")
    return state, state.inventory.get_host("app-1")


def test_what_comes_before_the_mark_is_dropped() -> None:
    found = [*lines("noise"), *lines("warning", name="stderr"), *lines(MARK, "a", MARK)]
    assert list(own_lines(found)) == [*lines("warning", name="stderr"), *lines("a", MARK)]


def test_a_terminal_ends_its_lines_otherwise() -> None:
    assert list(own_lines(lines("noise\r", f"{MARK}\r", "a"))) == lines("a")


def test_without_a_mark_all_of_it_tells_what_is_wrong() -> None:
    assert list(own_lines(lines("this account is closed"))) == lines("this account is closed")


def test_the_channel_takes_a_command_s_own_output_alone(noisy: tuple[State, Host]) -> None:
    state, host = noisy
    result = channel.run(state, host, ["printf", "a\\n"], timeout_s=5)
    assert (result.stdout, result.exit_code) == (b"a\n", 0)


def test_noise_does_not_get_into_a_stream(noisy: tuple[State, Host]) -> None:
    state, host = noisy
    taken: list[bytes] = []
    channel.run(state, host, ["printf", "\\1\\2"], timeout_s=5, on_stdout=taken.append)
    assert b"".join(taken) == b"\1\2"


def test_endless_noise_has_an_end(noisy: tuple[State, Host], tmp_path: File) -> None:
    state, host = noisy
    (tmp_path / "sh").write_text("#!/bin/bash\nyes\n")
    with pytest.raises(channel.RemoteError, match="printed more than 1 MiB"):
        channel.run(state, host, ["true"], timeout_s=5)


def test_a_shell_that_refuses_is_heard(noisy: tuple[State, Host], tmp_path: File) -> None:
    state, host = noisy
    (tmp_path / "sh").write_text("#!/bin/bash\necho this account is closed; exit 1\n")
    with pytest.raises(channel.RemoteError, match="this account is closed"):
        channel.run(state, host, ["true"], timeout_s=5)


def test_pyinfra_s_own_commands_print_the_mark_and_it_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = local_state("app-1").inventory.get_host("app-1")
    ran: list[str] = []

    def run(line: StringCommand, *_: Any) -> tuple[bool, CommandOutput]:
        ran.append(line.get_raw_value())
        return True, CommandOutput(lines("noise", MARK, "a"))

    monkeypatch.setattr(host.connector, "run_shell_command", run)
    ignore_noise(host)
    succeeded, output = host.connector.run_shell_command(StringCommand("id"), False, False)
    assert succeeded
    assert output.combined_lines == lines("a")
    assert ran == [f"{SAY_MARK}id"]


def test_pyinfra_reads_on_past_bytes_that_are_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyinfra.connectors.util, "read_buffer", pyinfra.connectors.util.read_buffer)
    take_any_bytes()
    queue: Queue[OutputLine] = Queue()
    pyinfra.connectors.util.read_buffer("stdout", io.BytesIO(NOISE), queue)
    assert list(queue.queue) == lines("Gr��e", "last login")
