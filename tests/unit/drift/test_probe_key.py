"""What a key that may only read a host is given, whatever it asks for."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from roles.observed.noise import MARK, SAY_MARK

SCRIPT = Path("files/drift-probe/dockyard-probe")
OWN = "/usr/local/lib/dockyard/probe.sh"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host's own probe, which says what it was given; and what the key runs."""
    (tmp_path / "probe.sh").write_text("printf '<%s>' \"$@\"\n")
    text = SCRIPT.read_text()
    assert text.count(OWN) == 1
    (tmp_path / "script").write_text(text.replace(OWN, str(tmp_path / "probe.sh")))
    return tmp_path


def asked(host: Path, command: str) -> subprocess.CompletedProcess[str]:
    argv = ["sh", str(host / "script"), command]
    sent = "echo another probe\n"
    return subprocess.run(argv, input=sent, capture_output=True, text=True, timeout=20)


def as_sent(*words: str, login: tuple[str, ...] = ("sh", "-c")) -> str:
    """A command line as the channel sends it."""
    line = shlex.join(["timeout", "-k", "5", "60", "sh", "-s", "--", *words])
    return shlex.join([*login, f"{SAY_MARK}exec {line}"])


@pytest.mark.parametrize("login", [("sh", "-c"), ("sudo", "-H", "-n", "sh", "-c")])
def test_the_words_of_the_probe_arrive(host: Path, login: tuple[str, ...]) -> None:
    words = ("10", "path", "/a b", "file", "/x/myid", "name", "o'neil", "sum", "/$(id)*")
    run = asked(host, as_sent(*words, login=login))
    assert run.stdout == f"{MARK}\n" + "".join(f"<{word}>" for word in words)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    "command", ["id", "", "cat /etc/shadow", "rm -rf /tmp -- ; id", "sh -c 'id; id'", "sh -c 'id"]
)
def test_whatever_else_is_asked_for_the_probe_is_run(host: Path, command: str) -> None:
    assert asked(host, command).stdout == f"{MARK}\n<10>"


@pytest.mark.parametrize(
    "words",
    [
        ("10", "file", "/etc/shadow"),
        ("10", "path", "/a", "file", "/etc/shadow"),
        ("file", "/etc/shadow"),
        ("10", "x1", "file", "/etc/shadow"),
    ],
)
def test_no_file_is_shown_but_a_server_s_number(host: Path, words: tuple[str, ...]) -> None:
    run = asked(host, as_sent(*words))
    assert "/etc/shadow" not in run.stdout
    assert run.returncode == 1 or "file" not in run.stdout
