"""In which order pyinfra itself runs the operations of different hosts: what the roles count on."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path as File
from textwrap import dedent

import pytest

ROOT = File(__file__).parents[2]

INVENTORY = """
registry = ["@fake/registry-1", "@fake/registry-2"]
engine = ["@fake/engine-1", "@fake/engine-2"]
sdk = ["@fake/sdk-1"]
"""

HEAD = """
import os

from pyinfra import host, state
from pyinfra.api import FunctionCommand, operation

from roles.run.fence import fence


@operation()
def note(step):
    yield FunctionCommand(write, (step,), {})


def write(state, host, step):
    with open(os.environ["STEPS"], "a") as steps:
        steps.write(f"{step} {host.name.removeprefix('@fake/')}\\n")
"""


def steps(folder: File, deploy: str, *options: str) -> list[str]:
    """Run a deploy with pyinfra; return what it did, step and host."""
    (folder / "inventory.py").write_text(INVENTORY)
    (folder / "deploy.py").write_text(HEAD + dedent(deploy))
    told = folder / "steps"
    told.touch()
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "inventory.py", "deploy.py", "-y", *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYINFRA_FAKE_DELAY": "0",
            "PYINFRA_FAKE_DELAY_JITTER": "0",
            "STEPS": str(told),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return told.read_text().splitlines()


def kinds(found: list[str]) -> str:
    """The steps without their hosts, each once where it stands in a row."""
    return " ".join(kind for kind, _ in groupby(step.split()[0] for step in found))


def test_operations_that_only_some_hosts_call_do_not_wait_for_those_of_others(
    tmp_path: File,
) -> None:
    deploy = """
    if "registry" in host.groups:
        note("R1")
        note("R2")
        note("R3")
    if "engine" in host.groups:
        note("E1")
    if "sdk" in host.groups:
        note("S1")
    """
    assert kinds(steps(tmp_path, deploy)) == "R1 E1 S1 R2 R3"


def test_with_a_fence_they_do(tmp_path: File) -> None:
    deploy = """
    if "registry" in host.groups:
        note("R1")
        note("R2")
        note("R3")
    fence()
    if "engine" in host.groups:
        note("E1")
    fence()
    if "sdk" in host.groups:
        note("S1")
    """
    found = steps(tmp_path, deploy)
    assert kinds(found) == "R1 R2 R3 E1 S1"
    assert {step for step in found if step.startswith("E1")} == {"E1 engine-1", "E1 engine-2"}


def test_an_operation_that_all_hosts_call_is_a_fence_also_where_it_runs_once(
    tmp_path: File,
) -> None:
    # The roles' `containers(_run_once=True)` is called on every host.
    deploy = """
    if "registry" in host.groups:
        note("R1")
        note("R2")
    note("once", _run_once=True)
    if "engine" in host.groups:
        note("E1")
    if "sdk" in host.groups:
        note("S1")
    """
    found = steps(tmp_path, deploy)
    assert kinds(found) == "R1 R2 once E1 S1"
    assert sum(step.startswith("once") for step in found) == 1


@pytest.mark.parametrize("limit", ["engine", "@fake/engine-2"])
def test_what_runs_once_runs_within_a_limit(tmp_path: File, limit: str) -> None:
    found = steps(tmp_path, 'note("once", _run_once=True)', "--limit", limit)
    assert len(found) == 1
    assert found[0].startswith("once engine-")
