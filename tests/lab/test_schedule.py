"""The control machine's own check for drift, installed on a host that is one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab import Lab, LabHost
from tests.lab.control import READER, bring, let_read
from tests.lab.reading import wait_until
from tests.lab.running import Checkout

PROJECT = "/opt/dockyard"
HOME = "/var/lib/dockyard-drift"
KEY = f"{HOME}/.ssh/id_ed25519"
UNITS = "/etc/systemd/system/dockyard-drift"
CRON = "/etc/cron.d/dockyard-drift"
PROBE = r"sudo -n /usr/local/sbin/dockyard-probe \"$SSH_ORIGINAL_COMMAND\""
OPTIONS = f'restrict,port-forwarding,command="{PROBE}"'
KNOWN = (
    "198.18.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    lab = Lab("schedule")
    lab.up(hosts=1, registry=0, release="bookworm")
    host = lab["app-1"]
    bring(host, PROJECT, tmp_path_factory.mktemp("wheels"))
    host.run(f"echo {shlex.quote(KNOWN)} >{PROJECT}/inventories/known_hosts")
    yield host
    lab.down()


def schedule(host: LabHost, *options: str, project: str = PROJECT, **data: Any) -> tuple[int, str]:
    """Run the deploy there; return its exit code and what it said."""
    said = " ".join(f"--data drift.schedule.{key}={value}" for key, value in data.items())
    words = f"pyinfra @local deploy/schedule_drift.py {' '.join(options)} {said}"
    run = host.run(f"cd {project} && .venv/bin/{words} 2>&1; echo exit=$?", timeout_s=120)
    output, _, code = run.stdout.rpartition("exit=")
    return int(code), output


def there(host: LabHost) -> str:
    """What of the schedule stands on the machine, and since when."""
    found = f"{HOME} {HOME}/.ssh/* {UNITS}.* {CRON}"
    return host.run(
        f"stat -c '%n %U %a %Y' {found} 2>/dev/null; getent passwd dockyard-drift; true"
    ).stdout


def test_a_dry_run_leaves_nothing(machine: LabHost) -> None:
    code, said = schedule(machine, "--dry")
    assert code == 0, said
    assert there(machine) == ""


def test_a_project_that_the_account_can_not_read_is_refused(machine: LabHost) -> None:
    machine.run(f"chmod 700 {PROJECT}")
    try:
        code, said = schedule(machine, "-y")
    finally:
        machine.run(f"chmod 755 {PROJECT}")
    assert code == 1
    assert "can't read the project in /opt/dockyard" in said
    assert there(machine) == ""


def test_it_is_installed_once(machine: LabHost) -> None:
    code, said = schedule(machine, "-y")
    assert code == 0, said
    key = machine.run(f"cat {KEY}.pub").stdout.strip()
    assert f"{OPTIONS} {key}" in said
    before = there(machine)
    assert f"{HOME} dockyard-drift 700 " in before
    assert f"{KEY} dockyard-drift 600 " in before
    assert CRON not in before
    assert machine.run(f"cat {HOME}/.ssh/known_hosts").stdout.strip() == KNOWN
    assert machine.run("systemctl is-enabled dockyard-drift.timer").stdout.strip() == "enabled"
    assert machine.run("systemctl is-active dockyard-drift.timer").stdout.strip() == "active"
    machine.run(f"systemd-analyze verify {UNITS}.service {UNITS}.timer")

    code, said = schedule(machine)
    assert code == 0, said
    assert "Nothing to change" in said
    assert there(machine) == before


def test_the_service_sees_what_it_needs_and_writes_no_more(machine: LabHost) -> None:
    look = (
        f"touch {HOME}/written && cat {KEY} >/dev/null && cd {PROJECT} && "
        ".venv/bin/pyinfra inventories/prod.py debug-inventory >/dev/null 2>&1 && "
        f"! touch {PROJECT}/written 2>/dev/null && ! touch /var/tmp/../lib/written 2>/dev/null"
    )
    drop_in = f"[Service]\nExecStart=\nExecStart=/bin/sh -c {shlex.quote(look)}\n"
    folder = f"{UNITS}.service.d"
    machine.run(f"mkdir -p {folder} && printf %s {shlex.quote(drop_in)} >{folder}/look.conf")
    machine.run("systemctl daemon-reload")
    try:
        machine.run("systemctl start dockyard-drift.service", timeout_s=60)
        owner = machine.run(f"stat -c %U {HOME}/written").stdout.strip()
    finally:
        machine.run(f"rm -r {folder} {HOME}/written; systemctl daemon-reload")
    assert owner == "dockyard-drift"


def test_another_interval_is_taken_over_and_the_key_stays(machine: LabHost) -> None:
    key = machine.run(f"cat {KEY}").stdout
    code, said = schedule(machine, "-y", interval="15m")
    assert code == 0, said
    assert "0/15" in machine.run("systemctl show -p TimersCalendar dockyard-drift.timer").stdout
    assert machine.run(f"cat {KEY}").stdout == key


def test_it_goes_and_its_history_with_it_only_where_that_is_said(machine: LabHost) -> None:
    machine.run(f"echo history >{HOME}/last.json")
    code, said = schedule(machine, "-y", state="absent")
    assert code == 0, said
    assert UNITS not in there(machine)
    assert machine.run(f"cat {HOME}/last.json").stdout == "history\n"
    assert "Nothing to change" in schedule(machine, state="absent")[1]
    code, said = schedule(machine, "-y", state="absent", purge="true")
    assert code == 0, said
    assert there(machine) == ""


def test_who_is_not_root_is_told_so(machine: LabHost) -> None:
    words = "setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent"
    deploy = ".venv/bin/pyinfra @local deploy/schedule_drift.py -y"
    said = machine.run(f"cd {PROJECT} && {words} {deploy} 2>&1; true", timeout_s=60).stdout
    assert "only root makes accounts and schedules; run it as root, or add --sudo" in said


WATCHED = "inventories/watched.py"
METRICS = "/srv/metrics"
HOOK = """#!/bin/sh
cat >"$HOME/told.new" && mv "$HOME/told.new" "$HOME/told.$(date +%s%N)"
"""
EVERY_5_S = r"[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nRandomizedDelaySec=0\nAccuracySec=1s\n"


def test_it_checks_the_others_and_calls_the_hook_when_something_changes(
    machine: LabHost, tmp_path: Path
) -> None:
    """The timer itself starts the check; nobody calls it."""
    lab = Lab("watched")
    lab.up(hosts=1, registry=1, with_docker=True)
    try:
        checkout = Checkout.make(tmp_path / "product")
        inventory = checkout.inventory(lab.hosts, base_image=lab.base_image())
        deployed = checkout.run(inventory, "-y")
        assert deployed.exit_code == 0, deployed.output
        _watch(machine, lab, checkout)
        wait_until(lambda: _last(machine).get("exit_code") == 0, "a check has found nothing", 120)
        assert _told(machine) == []

        lab["app-1"].run("docker update --pids-limit 99 osp-proxy")
        wait_until(lambda: len(_told(machine)) == 1, "the hook was called", 120)
        [first] = _told(machine)
        assert (first["change"], [one["path"] for one in first["new"]]) == (
            "drift",
            ["osp-proxy.pids"],
        )
        metrics = machine.run(f"cat {METRICS}/drift.prom").stdout
        families = {each.name: each for each in text_string_to_metric_families(metrics)}
        counts = families["dockyard_drift_findings"].samples
        assert [(s.labels["host"], s.labels["role"]) for s in counts if s.value] == [
            ("app-1", "proxy")
        ]

        mended = checkout.run(inventory, "-y")
        assert mended.exit_code == 0, mended.output
        wait_until(lambda: len(_told(machine)) == 2, "the hook was called again", 120)
        assert _told(machine)[1]["change"] == "resolved"
    finally:
        machine.run("systemctl stop dockyard-drift.timer", check=False)
        lab.down()


def _watch(machine: LabHost, lab: Lab, checkout: Checkout) -> None:
    """Have the machine's own check look at a lab, every few seconds."""
    groups = {
        group: [host.name for host in lab.hosts if group in host.groups]
        for group in ("registry", "engine", "proxy", "sdk")
    }
    every = [(host.name, {"ssh_hostname": host.address}) for host in lab.hosts]
    lines = [f"every = {every!r}", *(f"{group} = {names!r}" for group, names in groups.items())]
    machine.feed("\n".join(lines).encode(), f"cat >{PROJECT}/{WATCHED}")
    machine.feed(lab.known_hosts, f"cat >{PROJECT}/inventories/known_hosts")
    account = f"useradd --system --no-create-home --home-dir {HOME} --shell /usr/sbin/nologin"
    machine.run(f"install -d {METRICS} && {account} {READER} && chgrp {READER} {METRICS}")
    machine.run(f"chmod g+rwx {METRICS}")
    machine.feed(HOOK.encode(), "install -m 755 /dev/stdin /usr/local/bin/hook")
    textfile = f"{METRICS}/drift.prom"
    code, said = schedule(
        machine, "-y", inventory=WATCHED, hook="/usr/local/bin/hook", textfile=textfile
    )
    assert code == 0, said
    key = machine.run(f"cat {KEY}.pub").stdout
    for host in lab.hosts:
        let_read(host, checkout.directory, key)
    folder = f"{UNITS}.timer.d"
    machine.run(f"mkdir -p {folder} && printf '{EVERY_5_S}' >{folder}/often.conf")
    machine.run("systemctl daemon-reload && systemctl restart dockyard-drift.timer")


def _last(machine: LabHost) -> dict[str, Any]:
    """The last report; empty where there is none yet."""
    found = machine.run(f"cat {HOME}/last.json", check=False).stdout
    return dict(json.loads(found)) if found else {}


def _told(machine: LabHost) -> list[dict[str, Any]]:
    """What the hook was given, one document a call, the first first."""
    names = machine.run(f"ls {HOME} | grep -E '^told.[0-9]+$' | sort", check=False).stdout.split()
    return [json.loads(machine.run(f"cat {HOME}/{name}").stdout) for name in names]
