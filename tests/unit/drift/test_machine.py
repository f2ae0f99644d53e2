"""What is read of the control machine. The script changes nothing, and is run here as it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roles.drift.machine import SCRIPT, Machine, parse_machine

NOBODY = "no-such-account"


def test_what_the_script_says() -> None:
    lines = [
        "user_id 0",
        "init systemd",
        "cron yes",
        "missing flock",
        "missing od",
        "directory_owner ann",
        "account_home /home/ann",
        "known_hosts /opt/dockyard/inventories/known_hosts",
        "known_hosts /root/.ssh/known_hosts",
        "unreadable find: '/opt/dockyard': Permission denied",
        "textfile closed",
        "hook absent",
        "inventory error in line 3",
    ]
    assert parse_machine(lines) == Machine(
        user_id=0,
        has_systemd=True,
        has_cron=True,
        missing=("flock", "od"),
        account_home="/home/ann",
        directory_owner="ann",
        known_hosts=("/opt/dockyard/inventories/known_hosts", "/root/.ssh/known_hosts"),
        unreadable="find: '/opt/dockyard': Permission denied",
        inventory="error in line 3",
        textfile="closed",
        hook="absent",
    )


def test_who_says_nothing_is_not_root() -> None:
    assert parse_machine([]) == Machine(user_id=-1)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, open to all, whose `pyinfra` reads the inventory that it is given."""
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == os.getuid() and above.name.startswith(("pytest-", "test_")):
            above.chmod(0o755)
    found = tmp_path / "project"
    for folder in ("deploy", "roles", "group_data", "files", "inventories"):
        (found / folder).mkdir(parents=True)
    (found / "config.py").touch()
    (found / "inventories" / "prod.py").write_text("hosts = []\n")
    (found / "pyinfra").write_text('#!/bin/sh\ncat "$1"\n')
    (found / "pyinfra").chmod(0o755)
    return found


def read(project: Path, textfile: str = "", hook: str = "") -> Machine:
    words = [NOBODY, str(project / "home"), str(project), "", str(project / "pyinfra")]
    words += [str(project / "inventories" / "prod.py"), textfile, hook, "sh", "no-such-program"]
    run = subprocess.run(
        ["sh", "-c", SCRIPT, "machine", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return parse_machine(run.stdout.splitlines())


as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another")


@as_root
def test_a_project_that_all_may_read(project: Path) -> None:
    found = read(project)
    assert (found.user_id, found.account_home, found.directory_owner) == (0, None, None)
    assert (found.unreadable, found.inventory) == (None, None)
    assert found.missing == ("no-such-program",)


@as_root
def test_a_closed_project_and_a_closed_file(project: Path) -> None:
    secret = project / "roles" / "secret.py"
    secret.touch(mode=0o600)
    assert read(project).unreadable == str(secret)
    secret.unlink()
    project.chmod(0o700)
    assert "Permission denied" in (read(project).unreadable or "")


@as_root
def test_an_inventory_that_is_not_there_or_closed(project: Path) -> None:
    inventory = project / "inventories" / "prod.py"
    inventory.chmod(0o600)
    assert "Permission denied" in (read(project).inventory or "")
    inventory.unlink()
    assert read(project).inventory == "absent"


@as_root
def test_the_projects_own_known_hosts_come_first(project: Path) -> None:
    known = project / "inventories" / "known_hosts"
    known.touch()
    assert read(project).known_hosts[0] == str(known)


@as_root
def test_the_textfiles_folder(project: Path) -> None:
    folder = project / "node"
    assert read(project, textfile=str(folder)).textfile == "absent"
    folder.mkdir()
    assert read(project, textfile=str(folder)).textfile == "closed"
    folder.chmod(0o777)
    assert read(project, textfile=str(folder)).textfile is None


@as_root
def test_the_hook(project: Path) -> None:
    hook = project / "hook"
    assert read(project, hook=str(hook)).hook == "absent"
    hook.touch(mode=0o700)
    assert read(project, hook=str(hook)).hook == "closed"
    hook.chmod(0o755)
    assert read(project, hook=str(hook)).hook is None
