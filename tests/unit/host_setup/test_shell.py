"""The scripts under this machine's `sh`, in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path as File

import pytest

from roles.host_setup.commands import SHELL, KeysWanted, Step, give_keys, place, text
from roles.host_setup.naming import BEGIN, END


def run(step: Step, **environment: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **environment}
    return subprocess.run(
        step.words, input=step.stdin, capture_output=True, timeout=20, env=environment
    )


@pytest.fixture
def file(tmp_path: File) -> File:
    return tmp_path / "etc" / "a file.conf"


def names(file: File) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_file_is_written_whole_with_its_mode(file: File) -> None:
    done = run(place(str(file), b"one\n", "440", apply='[ "$1" ] && cat "$1"'))
    assert (done.returncode, done.stderr) == (0, b"one\n")
    assert (file.read_bytes(), oct(file.stat().st_mode)) == (b"one\n", "0o100440")
    assert names(file) == [file.name]


@pytest.mark.parametrize(
    "check, apply", [("grep -q good", ""), ("", 'grep -q good "$1"')], ids=["check", "apply"]
)
def test_what_can_not_be_used_is_taken_back(file: File, check: str, apply: str) -> None:
    check = check and f'{check} "$1"'
    assert run(place(str(file), b"bad\n", check=check, apply=apply)).returncode != 0
    assert names(file) == []
    file.write_text("good before\n")
    file.chmod(0o600)
    assert run(place(str(file), b"bad\n", check=check, apply=apply)).returncode != 0
    assert (file.read_text(), names(file)) == ("good before\n", [file.name])
    assert oct(file.stat().st_mode) == "0o100600"
    assert run(place(str(file), b"good\n", check=check, apply=apply)).returncode == 0
    assert file.read_text() == "good\n"


def test_what_was_cut_off_on_its_way_changes_nothing(file: File) -> None:
    step = place(str(file), b"one\ntwo\n")
    done = run(Step("", step.words, b"one\n"))
    assert (done.returncode, done.stderr) == (1, b"cut off\n")
    assert names(file) == []


@pytest.mark.parametrize(
    "where, expected",
    [("first", f"{BEGIN}\nnew\n{END}\na\nb\n"), ("last", f"a\nb\n{BEGIN}\nnew\n{END}\n")],
)
def test_a_block_stands_in_somebodys_file_once(file: File, where: str, expected: str) -> None:
    file.parent.mkdir()
    file.write_text(f"a\n{BEGIN}\nold\n{END}\nb\n")
    for _ in range(2):
        assert run(place(str(file), b"new\n", where=where)).returncode == 0  # type: ignore[arg-type]
        assert file.read_text() == expected


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize(
    "text",
    [f"a\n{BEGIN}\nold\nb\n", f"{BEGIN}\nold\na\n{BEGIN}\nold\n{END}\nb\n"],
    ids=["no-end", "another-begins"],
)
def test_a_file_in_which_the_end_of_our_block_is_lost_is_left(
    file: File, text: str, where: str
) -> None:
    file.parent.mkdir()
    file.write_text(text)
    done = run(place(str(file), b"new\n", where=where))  # type: ignore[arg-type]
    assert done.returncode == 1
    assert f"{file} has a line '{BEGIN}' and no '{END}' after it".encode() in done.stderr
    assert (file.read_text(), names(file)) == (text, [file.name])


def keys(
    home: File, what: KeysWanted, lines: str = "", sent: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The script for a user whose home this is, and who is whoever runs the test.

    `sent` is what arrives of the lines.
    """
    folder = home / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    account = f"ops:x:{os.getuid()}:{os.getgid()}::{home}:/bin/sh"
    (folder / "getent").write_text(f"#!/bin/sh\necho '{account}'\n")
    (folder / "setpriv").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    for name in ("getent", "setpriv"):
        (folder / name).chmod(0o755)
    step = give_keys("ops", what, lines.encode())
    if sent is not None:
        step = replace(step, stdin=sent.encode())
    return run(step, PATH=f"{folder}:{os.environ['PATH']}")


def test_keys_are_added_and_replaced_and_others_stay(tmp_path: File) -> None:
    home = tmp_path / "home"
    assert keys(home, "add", lines="ssh-rsa ANN ann\n").returncode == 0
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == "ssh-rsa ANN ann\n"
    assert oct(file.stat().st_mode) == "0o100600"
    assert oct(file.parent.stat().st_mode) == "0o40700"
    file.write_text('# team\ncommand="id" ssh-rsa ANN\nssh-rsa BOB\xe9 b\n', encoding="latin-1")
    (home / ".ssh").chmod(0o777)
    assert keys(home, "add", lines="ssh-rsa ANN ann\nssh-rsa EVE\n").returncode == 0
    assert file.read_bytes() == b"# team\nssh-rsa BOB\xe9 b\nssh-rsa ANN ann\nssh-rsa EVE\n"
    assert oct(file.parent.stat().st_mode) == "0o40755"
    assert names(file) == ["authorized_keys"]


WITH_BOB = "ssh-rsa BOB\nssh-rsa ANN ann\n"


@pytest.fixture
def authorized(tmp_path: File) -> File:
    """The authorized_keys of a user, of two keys."""
    file = tmp_path / "home" / ".ssh" / "authorized_keys"
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text(WITH_BOB)
    file.chmod(0o640)
    return file


@pytest.mark.parametrize("what", ["add", "only"])
@pytest.mark.parametrize("sent", ["", "ssh-rsa ANN"])
def test_keys_that_were_cut_off_on_their_way_change_nothing(
    authorized: File, what: KeysWanted, sent: str
) -> None:
    done = keys(authorized.parents[1], what, "ssh-rsa ANN ann\n", sent)
    assert done.returncode == 1
    assert b"the keys were cut off on their way; no key was changed" in done.stderr
    assert (authorized.read_text(), names(authorized)) == (WITH_BOB, ["authorized_keys"])


def test_other_keys_are_kept_beside_until_the_login_is_proven(authorized: File) -> None:
    home, old = authorized.parents[1], authorized.with_name("authorized_keys.dockyard-old")
    assert keys(home, "only", "ssh-rsa ANN ann\n").returncode == 0
    assert (authorized.read_text(), old.read_text()) == ("ssh-rsa ANN ann\n", WITH_BOB)
    assert names(authorized) == [authorized.name, old.name]
    assert keys(home, "proven").returncode == 0
    assert (authorized.read_text(), names(authorized)) == ("ssh-rsa ANN ann\n", [authorized.name])


def test_other_keys_are_put_back(authorized: File) -> None:
    home = authorized.parents[1]
    assert keys(home, "only", "ssh-rsa ANN ann\n").returncode == 0
    assert keys(home, "back").returncode == 0
    assert (authorized.read_text(), names(authorized)) == (WITH_BOB, [authorized.name])
    assert oct(authorized.stat().st_mode) == "0o100640"
    assert keys(home, "back").returncode != 0
    assert authorized.read_text() == WITH_BOB


def sysctls(folder: File, *words: str) -> subprocess.CompletedProcess[bytes]:
    body = text("sysctls").replace("/proc/sys", str(folder))
    return run(Step("", ("sh", "-c", body, "sysctls", *words)))


def test_live_values_are_set_where_the_kernel_has_them(tmp_path: File) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "range").write_text("1\t2\n")
    done = sysctls(tmp_path, "net.range", "3 4", "net.absent", "1")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "net" / "range").read_text() == "3 4\n"
    assert not (tmp_path / "net" / "absent").exists()


def test_a_value_that_the_kernel_refuses_is_an_error_and_the_rest_is_set(tmp_path: File) -> None:
    (tmp_path / "kept").symlink_to("/dev/null")
    (tmp_path / "later").write_text("0\n")
    done = sysctls(tmp_path, "kept", "1", "later", "1")
    assert done.returncode == 1
    assert done.stderr == b"host_setup.sysctls: kept: the kernel refuses '1', and has ''\n"
    assert (tmp_path / "later").read_text() == "1\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in SHELL.glob("*.sh")))
def test_a_script_is_one_for_any_shell(name: str) -> None:
    assert subprocess.run(["sh", "-n"], input=text(name).encode()).returncode == 0
