from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import Inventory

from roles.drift.spec import ScheduleSpec
from roles.run.wanted import validated


def problems(**schedule: Any) -> list[str]:
    inventory = Inventory((["@local"], {"drift": {"schedule": schedule}}))
    return [str(problem) for problem in validated(inventory.get_host("@local"))[1]]


def test_nothing_needs_to_be_said() -> None:
    assert problems() == []
    spec = ScheduleSpec()
    assert (spec.splay_s, spec.timeout_s, spec.login) == (300, 1800, "dockyard-drift")


def test_who_logs_in_may_have_another_name_there() -> None:
    assert ScheduleSpec(ssh_user="looker").login == "looker"


def test_a_slash_at_the_end_means_nothing() -> None:
    assert ScheduleSpec(directory="/srv/drift/").directory == "/srv/drift"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("interval", "7m", "expected one of 5m"),
        ("splay", "soon", "expected a time like"),
        ("user", "root", "other than root's"),
        ("user", "Ann", "other than root's"),
        ("user", "a; reboot", "other than root's"),
        ("ssh_user", "-l", "expected the name of an account"),
        ("directory", "drift", "that starts with '/'"),
        ("directory", "/", "below '/'"),
        ("directory", "/srv/%h", "letters, digits and"),
        ("directory", "/srv/../etc", "goes through no '..'"),
        ("inventory", "my hosts.py", "letters, digits and"),
        ("inventory", "a\nb", "letters, digits and"),
        ("inventory", "--fix", "does not start with '-'"),
        ("textfile", "/srv/drift.txt", "ends in '.prom'"),
        ("hook", "notify.sh", "that starts with '/'"),
        ("keep", 0, "greater than or equal to 1"),
        ("keep_days", "90", "valid integer"),
        ("state", "gone", "'present' or 'absent'"),
        ("often", True, "unknown key; expected one of: directory, hook, interval"),
    ],
)
def test_what_can_not_be_is_refused(key: str, value: object, said: str) -> None:
    (found,) = problems(**{key: value})
    assert found.startswith(f"@local: drift.schedule.{key}: ")
    assert said in found


def test_a_check_begins_before_the_next_is_due() -> None:
    (found,) = problems(interval="5m", splay="5m")
    assert "shorter than the interval (5m), found '5m'" in found
    assert problems(interval="5m", splay=None) == []


def test_a_history_is_not_removed_by_half_a_sentence() -> None:
    (found,) = problems(purge=True)
    assert "expected state 'absent' beside purge, found 'present'" in found
    assert problems(purge=True, state="absent") == []
