"""What a host lets through, from our own channel and from pyinfra's operations."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path as File

import pytest
from pyinfra.api import Host, QuoteString, State, StringCommand
from pyinfra.connectors.ssh import SSHConnector

from roles.observed import channel, holding
from roles.observed.channel import LeaseLost, RemoteError
from roles.observed.holding import Holding
from roles.observed.noise import ignore_noise
from roles.run.lease import SCRIPT
from tests.unit.build import local_state

OURS, ANOTHERS = "a1", "b2"


@pytest.fixture
def home(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> File:
    home = tmp_path / "lease"
    monkeypatch.setattr(holding, "SCRIPT", str(home / "lease.sh"))
    take(home, OURS, generation=0)
    return home


def take(home: File, token: str, generation: int) -> None:
    script = SCRIPT.replace(b"/var/lib/dockyard/lease", str(home).encode())
    words = ["lease", "take", token, "60", str(generation), "ann@laptop", "deploy/soa.py"]
    argv = ["sh", "-c", 'script=$(cat); eval "$script"', *words]
    subprocess.run(argv, input=script, check=True, timeout=20)


def lose(home: File) -> None:
    """Have the lease run out, and be another's."""
    record = home / "record"
    record.write_text(record.read_text().replace(f"{OURS}\n", "\n", 1))
    take(home, ANOTHERS, generation=1)


@pytest.fixture
def state() -> State:
    return local_state("app-1")


@pytest.fixture
def host(state: State, home: File) -> Iterator[Host]:
    host = state.inventory.get_host("app-1")
    ignore_noise(host)
    holding.guard_operations(host)
    holding.hold(host, Holding(OURS))
    yield host
    holding.hold(host, None)


def test_bytes_statuses_and_limits_are_the_command_s_own(
    state: State, host: Host, tmp_path: File
) -> None:
    content = bytes(range(256)) * 5000
    assert channel.run(state, host, ["cat"], stdin=content, timeout_s=5).stdout == content
    assert channel.run(state, host, "exit 77", check=False, timeout_s=5).exit_code == 77
    mark = tmp_path / "mark"
    with pytest.raises(RemoteError, match=r"did not end within 0.2 s"):
        channel.run(state, host, f"trap '' TERM; sleep 6; touch {mark}", timeout_s=0.2)


def test_what_another_has_taken_runs_nothing_of_ours(
    state: State, host: Host, home: File, tmp_path: File
) -> None:
    mark = tmp_path / "mark"
    lose(home)
    with pytest.raises(LeaseLost, match=r"app-1: lease: .* ann@laptop took it at .* was not done"):
        channel.run(state, host, ["touch", str(mark)], timeout_s=5, check=False)
    assert not mark.exists()
    take_back = home / "record"
    take_back.write_text(take_back.read_text().replace(ANOTHERS, OURS))
    with pytest.raises(LeaseLost):  # what a host has refused once is not tried again
        channel.run(state, host, ["touch", str(mark)], timeout_s=5)
    channel.run(state, host, ["touch", str(mark)], timeout_s=5, guarded=False)
    assert mark.exists()


def test_before_the_registry_is_changed_the_host_is_asked(
    state: State, host: Host, home: File
) -> None:
    channel.ask_lease(state, host)
    lose(home)
    with pytest.raises(LeaseLost):
        channel.ask_lease(state, host)
    holding.hold(host, None)
    channel.ask_lease(state, host)


def test_an_operation_s_command_is_let_through_whole(host: Host) -> None:
    line = StringCommand("printf", "'%s\\n'", QuoteString("a  'b' $c"), "|", "tr", "a", "x")
    succeeded, output = host.connector.run_shell_command(line, False, False)
    assert (succeeded, output.stdout) == (True, "x  'b' $c")
    line = StringCommand("echo $A; pwd")
    _, output = host.connector.run_shell_command(line, _env={"A": "b c"}, _chdir="/usr")
    assert output.stdout_lines == ["b c", "/usr"]
    succeeded, _ = host.connector.run_shell_command(StringCommand("false"))
    assert not succeeded and holding.why_lost(host) is None


def test_an_operation_of_who_lost_it_does_nothing(host: Host, home: File, tmp_path: File) -> None:
    target = tmp_path / "target"
    lose(home)
    line = StringCommand("touch", str(target))
    for _ in range(2):
        succeeded, output = host.connector.run_shell_command(line)
        assert not succeeded
        assert "ann@laptop took it at" in output.stderr
    with pytest.raises(OSError, match="ann@laptop took it at"):
        host.connector.put_file(io.StringIO("text"), str(target))
    assert not target.exists()


def test_a_file_is_put_while_it_holds(host: Host, tmp_path: File) -> None:
    target = tmp_path / "a 'target'"
    assert host.connector.put_file(io.StringIO("text\n"), str(target))
    assert target.read_text() == "text\n"


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_upload_by_sftp_is_moved_by_a_command_that_is_let_through(
    state: State, home: File, tmp_path: File, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    """SFTP itself asks nobody: the file goes to a place where it changes nothing."""
    host = state.inventory.get_host("app-1")
    beside, target = tmp_path / "uploaded", tmp_path / "target"
    local = host.connector.run_shell_command

    def upload(source: io.StringIO, place: str) -> None:
        File(place).write_text(source.getvalue())

    host.connector = SSHConnector(state, host)
    monkeypatch.setattr(host.connector, "run_shell_command", local)
    monkeypatch.setattr(host.connector, "_put_file", upload)
    holding.guard_operations(host)
    holding.hold(host, Holding(OURS))
    if is_lost:
        lose(home)
    put = host.connector.put_file(io.StringIO("text"), str(target), str(beside), print_output=False)
    assert put is not is_lost
    assert target.exists() is not is_lost
    assert beside.exists() is is_lost


def test_without_a_lease_nothing_is_asked(state: State, tmp_path: File) -> None:
    host = state.inventory.get_host("app-1")
    holding.guard_operations(host)
    assert channel.run(state, host, ["true"], timeout_s=5).exit_code == 0
    succeeded, _ = host.connector.run_shell_command(StringCommand("true"))
    assert succeeded
