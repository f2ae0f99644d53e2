from __future__ import annotations

import time
from pathlib import Path as File

import pytest

from roles.drift import hook
from roles.drift.hook import HookFailed, call


def script(folder: File, *lines: str) -> File:
    path = folder / "hook"
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


def failure(path: File, limit_s: float = 10) -> str:
    with pytest.raises(HookFailed) as told:
        call(path, "{}", limit_s)
    return str(told.value)


def test_it_reads_what_it_is_told_and_has_no_arguments(tmp_path: File) -> None:
    text = "x" * 1_000_000
    call(script(tmp_path, f'echo "$#" >{tmp_path}/count', f"cat >{tmp_path}/told"), text)
    assert (tmp_path / "told").read_text() == text
    assert (tmp_path / "count").read_text() == "0\n"


def test_it_need_not_read(tmp_path: File) -> None:
    call(script(tmp_path, "exit 0"), "x" * 1_000_000)


def test_a_name_is_no_program_of_the_path(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, f"touch {tmp_path}/called")
    monkeypatch.chdir(tmp_path)
    call(File("hook"), "{}")
    assert (tmp_path / "called").exists()


def test_a_failure_says_its_status_and_its_last_lines(tmp_path: File) -> None:
    path = script(tmp_path, "seq 100", 'printf "no\\033[31m way\\n\\n" >&2', "exit 3")
    assert (
        failure(path) == f"hook {path} ended with status 3: 97 | 98 | 99 | 100 | no\ufffd[31m way"
    )


def test_a_failure_without_a_word(tmp_path: File) -> None:
    assert failure(script(tmp_path, "kill -9 $$")).endswith("by signal 9 (it said nothing)")


@pytest.mark.parametrize("content, mode", [("#!/bin/sh\n", 0o644), ("\x7fnothing", 0o755)])
def test_what_is_no_program(tmp_path: File, content: str, mode: int) -> None:
    path = tmp_path / "hook"
    path.write_text(content)
    path.chmod(mode)
    assert "expected an executable file (a script needs a first line" in failure(path)
    path.unlink()
    assert "No such file or directory; expected an executable" in failure(path)


def test_one_that_does_not_end_is_ended_with_all_that_it_has_started(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "GRACE_S", 0.3)
    path = script(
        tmp_path,
        "trap '' TERM",
        "echo waits",
        f"(sleep 5; touch {tmp_path}/late) &",
        "sleep 60; sleep 60",
    )
    begun = time.monotonic()
    assert failure(path, limit_s=2) == f"hook {path} had not ended after 2 s, and was ended: waits"
    assert time.monotonic() - begun < 10
    time.sleep(max(0.0, begun + 5.5 - time.monotonic()))
    assert not (tmp_path / "late").exists()


def test_one_that_ends_when_asked_can_tidy_up(tmp_path: File) -> None:
    path = script(tmp_path, f"trap 'touch {tmp_path}/tidy; exit 0' TERM", "sleep 60 & wait")
    assert "had not ended after 2 s" in failure(path, limit_s=2)
    assert (tmp_path / "tidy").exists()


def test_what_it_leaves_behind_keeps_nobody_waiting(tmp_path: File) -> None:
    begun = time.monotonic()
    call(script(tmp_path, "sleep 5 &"), "{}")
    assert time.monotonic() - begun < 4
