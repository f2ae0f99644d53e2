from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roles.drift.command import drift
from roles.drift.machine import Machine, Place
from roles.drift.schedule import check, command, known_hosts_source, writable
from roles.drift.spec import ScheduleSpec

PLACE = Place("/opt/dockyard", "/opt/dockyard/.venv/bin", "/opt/dockyard/.venv")
GOOD = Machine(0, has_systemd=True, has_cron=True)


def problems(
    machine: Machine = GOOD, place: Place = PLACE, **schedule: Any
) -> list[tuple[str, str]]:
    found = check("@local", ScheduleSpec(**schedule), machine, place)
    return [
        (problem.key.removeprefix("drift.schedule").lstrip("."), problem.text) for problem in found
    ]


def test_the_command() -> None:
    spec = ScheduleSpec(keep=7, keep_days=3, textfile="/srv/node/d.prom", hook="/srv/hook")
    assert command(spec, PLACE) == [
        *("/opt/dockyard/.venv/bin/dockyard", "drift", "/opt/dockyard/inventories/prod.py"),
        *("--record", "/var/lib/dockyard-drift", "--keep", "7", "--keep-days", "3"),
        *("--textfile", "/srv/node/d.prom", "--hook", "/srv/hook"),
        *("--data", "ssh_user=dockyard-drift"),
        *("--data", "ssh_key=/var/lib/dockyard-drift/.ssh/id_ed25519"),
        *("--data", "ssh_known_hosts_file=/var/lib/dockyard-drift/.ssh/known_hosts"),
        *("--data", "ssh_strict_host_key_checking=yes"),
    ]
    assert "--textfile" not in command(ScheduleSpec(), PLACE)
    assert "--hook" not in command(ScheduleSpec(), PLACE)


def test_an_absolute_inventory_stays_what_it_is() -> None:
    assert command(ScheduleSpec(inventory="/srv/hosts.py"), PLACE)[2] == "/srv/hosts.py"


def test_the_check_is_known_to_hosts_by_another_name_where_that_is_said() -> None:
    assert "ssh_user=looker" in command(ScheduleSpec(ssh_user="looker"), PLACE)


def test_the_command_is_one_that_dockyard_has() -> None:
    spec = ScheduleSpec(textfile="/srv/node/d.prom", hook="/srv/hook")
    _, name, *words = command(spec, PLACE)
    assert name == drift.name
    drift.make_context("drift", words)


def test_it_writes_into_its_home_and_the_textfiles_folder() -> None:
    assert writable(ScheduleSpec()) == ["/var/lib/dockyard-drift"]
    assert writable(ScheduleSpec(textfile="/srv/node/d.prom"))[1:] == ["/srv/node"]


def test_where_known_hosts_come_from() -> None:
    both = replace(GOOD, known_hosts=("/opt/dockyard/inventories/known_hosts", "/root/x"))
    assert known_hosts_source(ScheduleSpec(), GOOD, PLACE) is None
    assert known_hosts_source(ScheduleSpec(), both, PLACE) == both.known_hosts[0]
    told = ScheduleSpec(known_hosts="inventories/lab_hosts")
    assert known_hosts_source(told, both, PLACE) == "/opt/dockyard/inventories/lab_hosts"


def test_a_machine_that_has_all_is_fine() -> None:
    assert problems() == []
    own = replace(GOOD, account_home="/var/lib/dockyard-drift", directory_owner="dockyard-drift")
    assert problems(own) == []


def test_who_is_not_root_is_told_that_and_nothing_else() -> None:
    for schedule in ({}, {"state": "absent"}):
        (found,) = check("@local", ScheduleSpec(**schedule), replace(GOOD, user_id=1000), PLACE)
        assert str(found).startswith("@local: root: only root makes accounts and schedules; run it")


@pytest.mark.parametrize(
    ("changes", "schedule", "key", "said"),
    [
        ({"has_systemd": False, "has_cron": False}, {}, "", "install cron"),
        ({"missing": ("setpriv",)}, {}, "", "not installed here: setpriv"),
        ({"has_systemd": False, "missing": ("flock",)}, {}, "", "not installed here: flock"),
        ({"account_home": "/home/ann"}, {"user": "ann"}, "user", "whose home is /home/ann"),
        ({"directory_owner": "ann"}, {}, "directory", "belongs to ann"),
        (
            {"unreadable": "find: '/opt/dockyard': Permission denied"},
            {},
            "user",
            "can't read the project in /opt/dockyard",
        ),
        ({"inventory": "absent"}, {}, "inventory", "/opt/dockyard/inventories/prod.py is no file"),
        ({"inventory": "boom"}, {}, "inventory", "mend what is wrong: boom"),
        ({"textfile": "absent"}, {"textfile": "/srv/n/d.prom"}, "textfile", "/srv/n is no folder"),
        ({"hook": "absent"}, {"hook": "/srv/hook"}, "hook", "/srv/hook is no file"),
        ({"hook": "closed"}, {"hook": "/srv/hook"}, "hook", "chmod o+rx /srv/hook"),
        ({}, {"directory": "/tmp/drift"}, "directory", "has a /tmp of its own"),
        ({}, {"hook": "/var/tmp/hook"}, "hook", "has a /var/tmp of its own"),
        ({}, {"textfile": "/tmp/d.prom"}, "textfile", "has a /tmp of its own"),
        ({}, {"inventory": "/tmp/hosts.py"}, "inventory", "has a /tmp of its own"),
    ],
)
def test_what_forbids_it(
    changes: dict[str, Any], schedule: dict[str, Any], key: str, said: str
) -> None:
    ((found, text),) = problems(replace(GOOD, **changes), **schedule)
    assert found == key
    assert said in text


def test_what_only_cron_needs_is_not_missed_where_systemd_runs() -> None:
    assert problems(replace(GOOD, missing=("flock", "od"))) == []


def test_who_may_write_in_a_folder_of_others_is_said_by_its_owner() -> None:
    closed = replace(GOOD, textfile="closed")
    ((_, text),) = problems(closed, textfile="/srv/node/d.prom")
    assert "useradd --system" in text
    assert text.endswith("chgrp dockyard-drift /srv/node; chmod g+rwx /srv/node")
    known = replace(closed, account_home="/var/lib/dockyard-drift")
    ((_, text),) = problems(known, textfile="/srv/node/d.prom")
    assert "useradd" not in text


def test_a_command_that_cron_would_cut_is_refused_where_cron_runs_it() -> None:
    long = {"hook": "/srv/" + "h" * 900}
    assert problems(**long) == []
    ((key, text),) = problems(replace(GOOD, has_systemd=False), **long)
    assert (key, "shorten" in text) == ("", True)


def test_a_project_whose_path_is_no_word() -> None:
    found = problems(place=Place("/srv/my 100%", "/srv/my 100%/.venv/bin", None))
    assert [key for key, _ in found] == ["", ""]
    assert all("letters, digits" in text for _, text in found)


def test_to_take_it_away_needs_none_of_that() -> None:
    broken = Machine(0, missing=("setpriv",), unreadable="all", inventory="absent")
    assert problems(broken, state="absent") == []
    assert problems(replace(broken, directory_owner="ann"), state="absent") == []


def test_nobody_elses_folder_or_account_is_purged() -> None:
    others = replace(GOOD, directory_owner="ann", account_home="/home/ann")
    found = problems(others, state="absent", purge=True)
    assert [key for key, _ in found] == ["user", "directory"]
