"""`dockyard retire`: what pyinfra is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import main
from roles.run import one_host


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    words: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, given: words.extend(given[1:]))
    monkeypatch.setenv(one_host.VARIABLE, "")
    monkeypatch.chdir(tmp_path)
    return words


def test_the_list_of_the_host_is_named_from_where_we_are(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "other.yaml").touch()
    run = CliRunner().invoke(main, ["retire", "app-2", "--list", "other.yaml", "--purge", "-y"])
    assert run.exit_code == 0, run.output
    file = json.dumps(str(tmp_path / "other.yaml"))
    data = ["--data", "purge=true", "--data", f"host_list={file}"]
    assert told == ["inventories/prod.py", "deploy/retire.py", "--limit", "app-2", *data, "-y"]
    assert os.environ[one_host.VARIABLE] == "app-2"


def test_a_list_that_is_not_there(told: list[str]) -> None:
    run = CliRunner().invoke(main, ["retire", "app-2", "--list", "none.yaml"])
    assert run.exit_code == 1
    assert "'none.yaml' does not exist" in run.output
    assert told == []
