"""What the commands of `dockyard` share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from roles.run.command_line import confirmed

ROOT = Path(__file__).parents[3]

# It finishes what it is about when it is interrupted, and says how it ended.
STEP = """
import signal, sys, time
def finish(*_):
    time.sleep(0.3)
    print("finished", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, finish)
print("begun", flush=True)
time.sleep(30)
"""
RUN = """
from gevent import monkey; monkey.patch_all()
import sys
from roles.run import command_line
command_line.pyinfra = lambda *words: [sys.executable, "-c", *words]
print("ended with", command_line.run_pyinfra(sys.argv[1]), flush=True)
"""


@click.command()
def asks() -> None:
    click.echo(f"said {confirmed('Go on?')}")


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [("y\n", 0, "said True"), ("n\n", 0, "said False"), ("", 130, "Interrupted; nothing was")],
)
def test_a_question(typed: str, code: int, told: str) -> None:
    run = CliRunner().invoke(asks, input=typed)
    assert (run.exit_code, told in run.output) == (code, True)


def test_ctrl_c_lets_pyinfra_finish_the_step_in_hand() -> None:
    words = [sys.executable, "-c", RUN, STEP]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stdout and run.stdout.readline() == "begun\n"
        os.killpg(run.pid, signal.SIGINT)
        assert run.stdout.read() == "finished\nended with 130\n"
    assert run.returncode == 0
