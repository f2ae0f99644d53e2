"""The channel towards this machine: what holds for any connector."""

from __future__ import annotations

import time
from pathlib import Path as File

import pytest

from roles.observed import channel, transport
from roles.observed.channel import RemoteError, Result
from tests.unit.build import local_state


def run(command: list[str] | str, timeout_s: float = 5, **more: object) -> Result:
    state = local_state("app-1")
    host = state.inventory.get_host("app-1")
    return channel.run(state, host, command, timeout_s=timeout_s, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "word",
    ["two words", "it's", '"', "$HOME", "`id`", "$(id)", "a;b", "*", "\\n", "-n", "", "ü"],
)
def test_a_word_of_a_command_stays_one_word(word: str) -> None:
    assert run(["printf", "[%s]", word]).text == f"[{word}]"


def test_a_string_is_given_to_the_shell() -> None:
    assert run("echo a | tr a b; printf '%s' \"it's\"").text == "b\nit's"


def test_bytes_go_in_and_come_out_as_they_are() -> None:
    content = bytes(range(256)) * 5000
    assert run(["cat"], stdin=content).stdout == content


def test_chunks_are_streamed() -> None:
    taken: list[bytes] = []
    result = run(["cat"], stdin=iter([b"a" * 1000, b"b"]), on_stdout=taken.append)
    assert b"".join(taken) == b"a" * 1000 + b"b"
    assert result.stdout == b""


def test_a_command_that_reads_nothing_ends_all_the_same() -> None:
    assert run(["true"], stdin=b"x" * 10_000_000).exit_code == 0


def test_what_a_command_says_on_stderr_steers_no_terminal() -> None:
    said = Result(1, b"out", b"\x1b[31mE:\x1b[0m \xc3\xbc \xff\r\nwhy\x07\n\n")
    assert said.stderr_text == "[31mE:[0m \u00fc \ufffd\nwhy"


def test_a_failed_command_says_its_status_and_its_last_lines() -> None:
    with pytest.raises(RemoteError) as caught:
        run("seq 1 40; echo why >&2; exit 3")
    assert "exited with 3" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == "why"
    assert "\n25\n" not in str(caught.value)
    assert "\n40\n" in str(caught.value)


def test_a_status_can_be_looked_at_instead() -> None:
    assert run("exit 3", check=False).exit_code == 3


def test_a_time_limit_ends_the_command(tmp_path: File) -> None:
    mark = tmp_path / "mark"
    start = time.monotonic()
    with pytest.raises(RemoteError, match=r"did not end within 0.2 s"):
        run(f"echo begun; sleep 3; touch {mark}", timeout_s=0.2)
    assert time.monotonic() - start < 2
    time.sleep(3)
    assert not mark.exists()


def test_output_that_nobody_takes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)
    with pytest.raises(RemoteError, match="more than 1 MiB"):
        run("yes", timeout_s=5)


def test_an_error_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(RemoteError) as caught:
        run("cat >/dev/null; exit 1", stdin=b"password=secret")
    assert "secret" not in str(caught.value)


def test_a_stream_reaches_every_target(tmp_path: File) -> None:
    state = local_state("from", "to-1", "to-2")
    hosts = [state.inventory.get_host(name) for name in ("from", "to-1", "to-2")]
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 20000)
    targets = {host: ["cp", "/dev/stdin", str(tmp_path / host.name)] for host in hosts[1:]}
    channel.stream(state, hosts[0], ["cat", str(source)], targets, timeout_s=10)
    assert (tmp_path / "to-1").read_bytes() == source.read_bytes()
    assert (tmp_path / "to-2").read_bytes() == source.read_bytes()


def test_a_target_that_fails_is_named_and_the_others_get_everything(tmp_path: File) -> None:
    state = local_state("from", "to-1", "to-2")
    hosts = [state.inventory.get_host(name) for name in ("from", "to-1", "to-2")]
    targets = {hosts[1]: ["false"], hosts[2]: ["cp", "/dev/stdin", str(tmp_path / "copy")]}
    with pytest.raises(RemoteError, match=r"to-1: `false` exited with 1"):
        channel.stream(state, hosts[0], ["seq", "300000"], targets, timeout_s=10)
    assert (tmp_path / "copy").read_bytes().endswith(b"300000\n")


def test_a_source_that_fails_fails_the_stream(tmp_path: File) -> None:
    state = local_state("from", "to-1")
    source, target = state.inventory.get_host("from"), state.inventory.get_host("to-1")
    with pytest.raises(RemoteError, match="exited with 4"):
        channel.stream(
            state, source, ["sh", "-c", "echo a; exit 4"], {target: ["cat"]}, timeout_s=10
        )
