"""Secrets from files, commands and prompts: what is refused, and that none is ever shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from roles.access.secret import NoSecret, Secret, Secrets, from_command, from_file
from roles.access.spec import AccessSpec, SecretCommand, SecretFile
from roles.run.wanted import problem_of

ROOT = Path(__file__).parents[3]
CANARY = "canary-4711"


def written(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_a_file_of_one_line(tmp_path: Path) -> None:
    assert from_file(written(tmp_path / "a", b"pass word \n")).reveal() == "pass word "
    assert from_file(written(tmp_path / "b", b"secret")).reveal() == "secret"
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert from_file(str(tmp_path / "link")).reveal() == "secret"


@pytest.mark.parametrize(
    "content, mode, told",
    [
        (CANARY.encode(), 0o640, "has mode 0640, others may read it; chmod 0600"),
        (CANARY.encode(), 0o604, "has mode 0604"),
        (f"{CANARY}\n{CANARY}\n".encode(), 0o600, "expected one line"),
        (b"", 0o600, "expected one line"),
        (b"\n", 0o600, "expected one line"),
        (b"\xff\xfe" + CANARY.encode(), 0o600, "found other bytes"),
        (CANARY.encode() * 500, 0o600, "expected one line"),
    ],
    ids=["group", "others", "two-lines", "empty", "blank", "binary", "long"],
)
def test_a_file_that_is_refused(tmp_path: Path, content: bytes, mode: int, told: str) -> None:
    path = written(tmp_path / "secret", content, mode)
    with pytest.raises(NoSecret) as error:
        from_file(path)
    assert told in str(error.value)
    assert path in str(error.value)
    assert CANARY not in str(error.value)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, told in ((tmp_path / "pipe", "no regular"), (tmp_path / "none", "No such file")):
        with pytest.raises(NoSecret, match=told):
            from_file(str(path))


def test_a_command(tmp_path: Path) -> None:
    assert from_command("printf 'a b\\n'").reveal() == "a b"
    with pytest.raises(NoSecret, match="exited with 3") as error:
        from_command(f"echo {CANARY[:6]}''{CANARY[6:]}; exit 3")
    assert CANARY not in str(error.value)
    with pytest.raises(NoSecret, match="expected one line"):
        from_command("true")


@pytest.mark.parametrize("before", ["", "from gevent import monkey; monkey.patch_all()"])
def test_a_command_that_takes_too_long(before: str) -> None:
    """What its shell has started goes on, and is not waited for; pyinfra is gevent's."""
    script = (
        f"{before}\nfrom roles.access import secret\nsecret.COMMAND_S = 0.2\n"
        "try: secret.from_command('sleep 9 2>&-; echo x')\n"
        "except secret.NoSecret as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=8,
    )
    assert (run.stdout, run.stderr) == ("`sleep 9 2>&-; echo x` did not end within 0.2 s\n", "")


def test_a_source_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tmp_path / "count"
    source = SecretCommand(command=f"echo x >>{count}; echo {CANARY}")
    asked: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda question: asked.append(question) or CANARY)
    secrets = Secrets(has_terminal=True)
    for _ in range(20):
        assert secrets.get(source, "Password")
        assert secrets.get("prompt", "Password of root on 20 hosts")
    assert count.read_text() == "x\n"
    assert asked == ["Password of root on 20 hosts: "]
    assert secrets.get(None, "Password") is None


def test_no_terminal_to_ask_on() -> None:
    with pytest.raises(NoSecret, match="no terminal to ask on"):
        Secrets(has_terminal=False).get("prompt", "Password")


def test_a_secret_is_never_shown() -> None:
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]} {vars(Secrets(True))}"


@pytest.mark.parametrize(
    "value", [CANARY, {"file": CANARY, "x": CANARY}, {"text": CANARY}, [CANARY], 4711, {"file": ""}]
)
def test_a_secret_itself_never_stands_in_data(value: Any) -> None:
    with pytest.raises(ValidationError) as error:
        AccessSpec.model_validate({"password": value})
    (details,) = error.value.errors()
    told = str(problem_of("app-1", {**details}, AccessSpec))
    assert told.startswith("app-1: password: expected 'prompt', {'file': PATH} or {'command'")
    assert CANARY not in told


def test_where_secrets_come_from() -> None:
    spec = AccessSpec.model_validate(
        {"password": {"file": "/x"}, "sudo_password": {"command": "pass x"}}
    )
    assert spec.password == SecretFile(file="/x")
    assert spec.sudo_password == SecretCommand(command="pass x")
    assert spec.can_log_in
    assert not AccessSpec.model_validate({"user": "debian", "password": None}).can_log_in


@pytest.mark.parametrize("text", ["SHA256:short", "MD5:" + "a" * 43, "SHA256:" + "a" * 44])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(ValidationError, match="expected a fingerprint such as"):
        AccessSpec.model_validate({"fingerprint": text})
