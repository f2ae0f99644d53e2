"""The files that the schedule is made of, as they stand on the machine."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.util import get_template

from roles.drift.deploy import TEMPLATES, _said
from roles.drift.machine import Place
from roles.drift.spec import ScheduleSpec

PLACE = Place("/opt/dockyard", "/opt/dockyard/.venv/bin", "/opt/dockyard/.venv")
LONGEST = 999
"""What Debian's cron takes of a command; it leaves a longer line out."""


def rendered(source: str, **schedule: Any) -> str:
    said = _said(ScheduleSpec(**schedule), PLACE)
    text: str = get_template(str(TEMPLATES / f"{source}.j2")).render(said)
    return text


def unit(source: str, **schedule: Any) -> configparser.ConfigParser:
    class Repeating(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self:
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.ConfigParser(interpolation=None, strict=False, dict_type=Repeating)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(rendered(source, **schedule))
    return parser


def test_the_service_runs_the_check_as_the_account() -> None:
    service = unit("dockyard-drift.service", hook="/srv/hook")["Service"]
    assert service["Type"] == "oneshot"
    assert service["User"] == "dockyard-drift"
    assert service["WorkingDirectory"] == "/opt/dockyard"
    assert service["ExecStart"].startswith("/opt/dockyard/.venv/bin/dockyard drift ")
    assert " --hook /srv/hook " in service["ExecStart"]


def test_drift_is_no_failure_of_the_unit_and_an_error_is() -> None:
    service = unit("dockyard-drift.service", timeout="10m")["Service"]
    assert service["SuccessExitStatus"].split() == ["2", "3"]
    assert service["TimeoutStartSec"] == "600"


def test_the_service_may_write_what_it_has_to_and_no_more() -> None:
    service = unit("dockyard-drift.service", textfile="/srv/node/d.prom")["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == "/var/lib/dockyard-drift /srv/node"
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == "yes"
    assert service["CapabilityBoundingSet"] == ""


def test_the_timer_has_a_splay_and_makes_up_for_what_was_missed() -> None:
    timer = unit("dockyard-drift.timer", interval="15m", splay="90s")["Timer"]
    assert timer["OnCalendar"] == "*-*-* *:0/15:00"
    assert timer["RandomizedDelaySec"] == "90"
    assert timer["Persistent"] == "yes"
    assert unit("dockyard-drift.timer", splay=None)["Timer"]["RandomizedDelaySec"] == "0"


def cron_line(text: str) -> tuple[str, str, str]:
    """Times, account and command."""
    *_, last = text.splitlines()
    fields = last.split(maxsplit=6)
    return " ".join(fields[:5]), fields[5], fields[6]


def test_the_line_of_cron() -> None:
    text = rendered("cron", interval="2h", timeout="10m")
    times, account, command = cron_line(text)
    assert text.endswith("\n")
    assert (times, account) == ("0 */2 * * *", "dockyard-drift")
    assert 'flock -n "$HOME/cron.lock" nice timeout -k 30 600 $CHECK' in command
    assert "%" not in command, "cron takes it for the end of the line"
    assert "CHECK=/opt/dockyard/.venv/bin/dockyard drift " in text


def test_paths_of_any_length_leave_the_line_short() -> None:
    text = rendered("cron", directory="/srv/" + "d" * 800, inventory="/srv/" + "i" * 800)
    assert len(cron_line(text)[2]) < LONGEST


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_line_of_cron_runs_the_check_once_and_hands_on_what_it_says(
    tmp_path: Path, shell: str
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in {
        "logger": f'cat >{tmp_path}/log; echo "$@" >{tmp_path}/tag',
        "sleep": f"echo $1 >>{tmp_path}/slept",
        "check": "echo checked $*; echo wrong >&2; exit 2",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    _, _, command = cron_line(rendered("cron", splay="4s"))
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PROJECT": "/",
        "CHECK": f"{tools}/check drift --record x",
    }
    run = [shell, "-c", command]
    for _ in range(6):
        subprocess.run(run, env=environment, check=True, timeout=30)
    assert (tmp_path / "log").read_text() == "checked drift --record x\nwrong\n"
    assert (tmp_path / "tag").read_text() == "-t dockyard-drift\n"
    slept = (tmp_path / "slept").read_text().split()
    assert len(slept) == 6
    assert all(re.fullmatch(r"[0-4]", seconds) for seconds in slept)

    (tmp_path / "log").unlink()
    held = ["flock", str(tmp_path / "cron.lock"), *run]
    subprocess.run(held, env=environment, check=True, timeout=30)
    assert (tmp_path / "log").read_text() == "", "it ran beside another"
