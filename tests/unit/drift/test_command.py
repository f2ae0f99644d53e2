"""What is wrong with a command line is told before anything is read, and exits with 1, not 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.command import dockyard

EMPTY = "engine = []\n"
WRONG = 'engine = [("app-1", {"soa_enigne": {}})]\n'


def drift(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return dockyard(home, "drift", *words)


@pytest.mark.parametrize(
    "words, text",
    [
        (("inventories/prod.py", "--fix"), "there is no terminal to ask on"),
        (("inventories/none.py",), "there is no inventory inventories/none.py; name a file"),
        (("inventories/prod.py", "--format", "xml"), "'xml' is not one of"),
        (("inventories/prod.py", "--data", "x"), "--data x: expected KEY=VALUE"),
        (("inventories/prod.py", "--hook", "/bin/true"), "need --record DIR"),
        (("inventories/prod.py", "--keep", "0"), "0 is not in the range"),
        (("inventories/prod.py", "--keep-days", "40000"), "40000 is not in the range"),
        (("inventories/prod.py", "--nothing"), "No such option"),
        (("inventories/prod.py", "--limit", "app-99"), "has no such host, nor a group"),
    ],
    ids=["fix", "no-file", "format", "data", "hook", "keep", "keep-days", "option", "limit"],
)
def test_what_can_not_be_meant(tmp_path: Path, words: tuple[str, ...], text: str) -> None:
    run = drift(tmp_path, *words)
    assert (run.returncode, run.stdout) == (1, "")
    assert text in run.stderr
    assert "Traceback" not in run.stderr


def test_an_inventory_without_hosts(tmp_path: Path) -> None:
    inventory = tmp_path / "empty.py"
    inventory.write_text(EMPTY)
    run = drift(tmp_path, str(inventory))
    assert run.returncode == 1
    assert "the inventory lists no host" in run.stderr


def test_an_inventory_that_is_no_python(tmp_path: Path) -> None:
    inventory = tmp_path / "broken.py"
    inventory.write_text("engine = [\n")
    run = drift(tmp_path, str(inventory))
    assert run.returncode == 1
    assert "broken.py" in run.stderr
    assert run.stdout == ""


def test_help_teaches(tmp_path: Path) -> None:
    run = drift(tmp_path, "--help")
    assert run.returncode == 0
    assert "docs/drift.md" in run.stdout
