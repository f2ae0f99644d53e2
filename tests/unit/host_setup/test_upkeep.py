from __future__ import annotations

import re
from typing import Any

import pytest

from roles.docker_engine.packages import ALL
from roles.host_setup import upkeep
from roles.host_setup.plan import changes
from roles.observed import Setup, Unit
from tests.unit.host_setup.build import gaps, host, planned, told

RUNS = Unit(is_enabled=True, is_active=True)
TIMERS = dict.fromkeys(upkeep.APT_TIMERS, RUNS)


@pytest.mark.parametrize(
    "wanted, path, content",
    [
        (
            {"limits": {"nofile": 1048576, "nproc": 4096}},
            upkeep.LIMITS_CONF,
            b"* - nofile 1048576\n* - nproc 4096\nroot - nofile 1048576\nroot - nproc 4096\n",
        ),
        (
            {"journald": {"max_use_mb": 500, "max_retention_days": 30}},
            upkeep.JOURNALD_CONF,
            b"[Journal]\nSystemMaxUse=500M\nMaxRetentionSec=30day\n",
        ),
    ],
)
def test_a_file_that_is_written_whole(wanted: dict[str, Any], path: str, content: bytes) -> None:
    assert planned(host(wanted, files={path: content})) == []
    assert planned(host(wanted, files={path: content + b"#"})) == [f"write {path}: differs"]
    [change] = changes(host(wanted))
    assert (change.action, change.why) == (f"write {path}", "absent")
    assert change.steps[0].stdin == content


def test_the_journal_is_restarted_where_there_is_one() -> None:
    wanted = {"journald": {"max_use_mb": 500}}
    [change] = changes(host(wanted))
    assert change.steps[0].words[-1] == "systemctl restart systemd-journald"
    assert planned(host(wanted, init="init")) == []


def test_the_logs_of_the_hosts_parts_are_rotated() -> None:
    found = host({"log_rotation": {"size_mb": 20, "count": 3}}, paths=(upkeep.LOGROTATE,))
    [change] = changes(found)
    said = change.steps[-1].stdin.decode()
    assert said.startswith('"/apps/logs/engine"/*.log "/apps/logs/proxy"/*.log {\n')
    assert {"size 20M", "rotate 3", "copytruncate"} <= {line.strip() for line in said.splitlines()}
    assert gaps(found) == [(upkeep.LOGROTATE_CONF, "as Dockyard writes it", "absent")]
    bare = changes(host({"log_rotation": {}}, paths=()))
    assert [step.called for step in bare[0].steps] == [
        "installing logrotate",
        f"writing {upkeep.LOGROTATE_CONF}",
    ]


def test_security_updates_of_apt() -> None:
    wanted = {"security_updates": True}
    files = {upkeep.APT_CONF: upkeep.apt_conf()}
    whole = host(wanted, Setup(units=TIMERS), files, (upkeep.UNATTENDED,))
    assert planned(whole) == []
    masked = {**TIMERS, "apt-daily.timer": Unit(False, False, is_masked=True)}
    found = host(wanted, Setup(units=masked), files, (upkeep.UNATTENDED,))
    assert gaps(found) == [("apt-daily.timer", "enabled and running", "not so")]
    [change] = changes(host(wanted, Setup(units=TIMERS)))
    assert [step.called for step in change.steps] == [
        "installing unattended-upgrades",
        f"writing {upkeep.APT_CONF}",
    ]


def test_the_engine_is_upgraded_by_nobody_else() -> None:
    listed = re.findall(r'"(\^.*\$)";', upkeep.apt_conf().decode())
    for name in ALL:
        assert any(re.match(pattern, name) for pattern in listed), name
    assert not any(re.match(pattern, "openssl") for pattern in listed)
    [excluded] = re.findall(r"^excludepkgs = (.*)$", upkeep.dnf_conf().decode(), re.MULTILINE)
    assert set(excluded.split(",")) == ALL


def test_security_updates_of_dnf() -> None:
    like = {"os_id": "rocky", "os_like": ("rhel",)}
    wanted = {"security_updates": True}
    files = {upkeep.DNF_CONF: upkeep.dnf_conf()}
    timers = {"dnf5-automatic.timer": RUNS}
    assert planned(host(wanted, Setup(units=timers), files, **like)) == []
    [change] = changes(host(wanted, **like))
    assert [step.called for step in change.steps] == [
        "installing dnf-automatic",
        f"writing {upkeep.DNF_CONF}",
        "unit",
    ]


@pytest.mark.parametrize(
    "wanted, observed, expected",
    [
        ({"security_updates": True}, {"init": "init"}, "security_updates: needs systemd"),
        (
            {"security_updates": True},
            {"os_id": "alpine"},
            "security_updates: needs the package unattended-upgrades or dnf-automatic, and only",
        ),
        ({"log_rotation": {}}, {"os_id": "alpine"}, "log_rotation: needs the package logrotate"),
    ],
)
def test_what_forbids_a_run(
    wanted: dict[str, Any], observed: dict[str, Any], expected: str
) -> None:
    [problem] = told(host(wanted, **observed))
    assert problem.startswith(expected)
