"""`dockyard bootstrap`: what is wrong is told before the list is written; then pyinfra runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inventories.host_list import parsed
from roles.access.bootstrap_command import nested
from tests.unit.access.server import ADDRESS, Server
from tests.unit.command import ROOT, dockyard

CANARY = "canary-4711"
USUAL = ("127.0.0.9", "--name", "app-4", "--groups", "engine,proxy", "-y")
LIST = "# ours\nhosts:\n  app-1: {groups: [engine]}\n  app-2: {groups: [sdk], address: 10.0.0.2}\n"
INVENTORY = """\
from inventories.host_list import read
_groups = read({list!r}, {known!r})
engine, proxy, sdk = _groups["engine"], _groups["proxy"], _groups["sdk"]
every = (
    [name for hosts in _groups.values() for name, _ in hosts],
    {{"ssh_known_hosts_file": {known!r}, "ssh_strict_host_key_checking": "yes"}},
)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "fleet.yaml").write_text(LIST)
    given = {"list": str(tmp_path / "fleet.yaml"), "known": str(tmp_path / "known_hosts")}
    (tmp_path / "fleet.py").write_text(INVENTORY.format(**given))
    return tmp_path


def bootstrap(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return dockyard(home, "-i", str(home / "fleet.py"), "bootstrap", *words)


@pytest.mark.parametrize(
    "words, told",
    [
        (("10.0.0.4", "--name", "app-1", "--groups", "sdk", "-y"), "app-1: is listed already"),
        (("10.0.0.2", "--name", "a", "--groups", "sdk", "-y"), "is listed already, as app-2"),
        (
            ("10.0.0.4", "--name", "a", "--groups", "sdk,engin", "-y"),
            "a: groups: there is no group 'engin'; expected some of: registry, engine, proxy, sdk",
        ),
        (("10.0.0.4", "--name", "a", "--groups", "", "-y"), "a: groups: missing"),
        (("10.0.0.4", "--name", "a b", "--groups", "sdk", "-y"), "a b: expected a host's name"),
        (("10.0.0.4", "--name", "every", "--groups", "sdk", "-y"), "every: is a group of"),
        (("10.0.0.4", "--name", "fleet", "--groups", "sdk", "-y"), "fleet: is a group of"),
        (("10.0.0.4", "--name", "engine", "--groups", "sdk", "-y"), "engine: expected a host's"),
        (USUAL[:-1], "there is no terminal to ask on before the list is written; add -y"),
        ((*USUAL, "--password"), "--password: there is no terminal to ask on; --password-file"),
        ((*USUAL, "--password-file", "none"), "--password-file none: No such file"),
        ((*USUAL, "--password-file", "x", "--password-command", "y"), "say one of them"),
        ((*USUAL, "--key", "none"), "--key none: No such file"),
        ((*USUAL, "--key", "README.md"), "expected a private key, found something else"),
        ((*USUAL, "--fingerprint", "SHA256:x"), "'SHA256:' and 43 signs"),
        ((*USUAL, "--via", "a b"), "app-4: via: expected a bastion such as"),
        ((*USUAL, "--port", "0"), "0 is not in the range"),
        ((*USUAL, "--set", "exprt_ip=10.0.0.4"), "app-4: exprt_ip: unknown key; expected one of"),
        ((*USUAL, "--set", "rollout.batch=0"), "app-4: rollout.batch"),
        ((*USUAL, "--set", "export_ip"), "--set export_ip: expected KEY=VALUE"),
        ((*USUAL, "--list", "inventories/prod.yaml"), "does not read inventories/prod.yaml"),
        ((*USUAL, "--list", "inventories/none.yaml"), "inventories/none.yaml: No such file"),
    ],
)
def test_what_is_wrong_is_told_first(home: Path, words: tuple[str, ...], told: str) -> None:
    run = bootstrap(home, *words)
    assert told in run.stderr
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert (home / "fleet.yaml").read_text() == LIST


def test_a_list_that_is_wrong_already(home: Path) -> None:
    (home / "fleet.yaml").write_text(LIST.replace("groups: [sdk]", "grups: [sdk]"))
    run = bootstrap(home, *USUAL)
    assert run.returncode == 1
    assert "app-2: grups: unknown key" in run.stderr


def test_others_may_read_the_secret(home: Path) -> None:
    file = home / "secret"
    file.write_text(CANARY)
    file.chmod(0o644)
    run = bootstrap(home, *USUAL, "--password-file", str(file))
    assert run.returncode == 1
    assert "has mode 0644, others may read it; chmod 0600" in run.stderr
    assert CANARY not in run.stderr
    assert (home / "fleet.yaml").read_text() == LIST


def test_a_host_is_listed_and_stays_so_where_its_run_fails(home: Path) -> None:
    """Its key is not pinned, and nobody is there to confirm it."""
    file = home / "secret"
    file.write_text(CANARY)
    file.chmod(0o600)
    with Server() as server:
        words = (ADDRESS, *USUAL[1:], "--port", str(server.port), "--password-file", str(file))
        words += ("--set", "export_ip=10.0.0.4", "--user", "debian")
        run = bootstrap(home, *words)
        assert server.tried == []
        assert run.returncode == 1
        entry = parsed((home / "fleet.yaml").read_text())["app-4"]
        assert entry.groups == ["engine", "proxy"]
        assert (entry.address, entry.port, entry.data) == (
            ADDRESS,
            server.port,
            {"export_ip": "10.0.0.4"},
        )
        assert (home / "fleet.yaml").read_text().startswith(LIST)
        assert "\n+  app-4:\n+    groups: [engine, proxy]\n" in run.stderr
        assert "app-4: host key: is not pinned, and there is no terminal" in run.stderr
        assert server.keys[0].fingerprint in run.stderr
        assert "app-4 stays listed in" in run.stderr
        assert "--limit app-4 -y --data access.user=debian" in run.stderr
        assert "dockyard hostkeys forget app-4" in run.stderr

        again = bootstrap(home, *words)
        assert "app-4 is listed in" in again.stderr
        assert "+  app-4" not in again.stderr
        other = bootstrap(home, *words[:4], "sdk", *words[5:])
        assert "app-4: is listed already" in other.stderr
    assert CANARY not in run.stdout + run.stderr


def test_who_says_no_leaves_the_list_as_it_is(home: Path) -> None:
    terminal, far_end = os.openpty()
    try:
        os.write(terminal, b"n\n")
        words = ["-i", str(home / "fleet.py"), "bootstrap", "10.0.0.4"]
        words += ["--name", "app-4", "--groups", "sdk"]
        run = subprocess.run(
            [sys.executable, "-m", "deploy.cli", *words],
            cwd=ROOT,
            stdin=far_end,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(far_end)
        os.close(terminal)
    assert run.returncode == 1
    assert "+  app-4:" in run.stderr
    assert "and take app-4 in? [y/N]" in run.stderr
    assert (home / "fleet.yaml").read_text() == LIST


@pytest.mark.parametrize(
    "is_pinned, question",
    [(False, "at the hosts' consoles?"), (True, "Password of root on app-4:")],
)
def test_ctrl_c_at_a_question_ends_it_as_everywhere(
    home: Path, is_pinned: bool, question: str
) -> None:
    terminal, far_end = os.openpty()
    with Server() as server:
        (home / "known_hosts").write_text(server.line() if is_pinned else "")
        words = ["-i", str(home / "fleet.py"), "bootstrap", ADDRESS, *USUAL[1:], "--password"]
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *words, "--port", str(server.port)],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home)},
            stdin=far_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stderr
            said = ""
            while question not in said and (read := process.stderr.read(1)):  # lets gevent switch
                said += read.decode()
            time.sleep(0.3)  # what asks reads by now
            os.killpg(process.pid, signal.SIGINT)
            said += process.communicate(timeout=30)[1].decode()
        finally:
            process.kill()
            os.close(far_end)
            os.close(terminal)
        assert server.tried == []
    assert process.returncode == 130, said
    assert "Interrupted; nothing was changed on any host." in said
    assert "app-4 stays listed in" in said and "Go on with the same command" in said
    assert "Mend what is told" not in said and "not confirmed" not in said
    assert "Aborted" not in said and "Traceback" not in said


def test_help_teaches(tmp_path: Path) -> None:
    run = dockyard(tmp_path, "bootstrap", "--help")
    assert "dockyard bootstrap 198.51.100.14 --name app-4 --groups engine,proxy" in run.stdout
    assert "No password is ever an argument" in run.stdout


def test_keys_with_dots() -> None:
    assert nested({"a.b": 1, "a.c": 2, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}
