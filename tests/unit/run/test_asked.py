"""What is asked of another deploy file than the one that runs."""

from __future__ import annotations

from typing import Any

import pytest

from roles.docker_engine import service
from roles.maintenance import drain
from roles.release import back
from roles.retire import plan as retire
from roles.run.asked import check
from roles.run.survey import SYSTEM
from tests.unit.build import fleet, member

SAID: list[tuple[dict[str, Any], object, str]] = [
    ({"action": "restart"}, service, "deploy/service.py"),
    ({"drain": {"reason": "new disk"}}, drain, "deploy/drain.py"),
    ({"host_list": "/etc/fleet.yaml"}, retire, "deploy/retire.py"),
    ({"release": "2026-01-01T00:00:00Z"}, back, "deploy/rollback.py"),
]


@pytest.mark.parametrize(("said", "role", "file"), SAID)
def test_it_is_refused_where_nothing_does_it(said: dict[str, Any], role: object, file: str) -> None:
    found = fleet("app-1", member("app-2", **said))
    assert [str(problem) for problem in check(found, SYSTEM, ("deploy/soa.py",))] == [
        f"inventory: --data {next(iter(said))}: is for {file}, and is not done here; leave it away"
    ]
    assert check(found, (role,), (file,)) == []
    assert check(found, SYSTEM, ("deploy/soa.py", file)) == []


def test_a_deploy_that_tells_of_logs_is_none_that_changes() -> None:
    [problem] = check(fleet(member("app-1", logs={"part": "engine"})), SYSTEM, ())
    assert (problem.key, problem.text.split(",")[0]) == ("--data logs", "is for deploy/logs.py")


def test_what_goes_with_every_run_is_let_through() -> None:
    said = {"rollout": {"batch": 2}, "unpin": True, "verify_report": "/tmp/report"}
    assert check(fleet(member("app-1", **said)), SYSTEM, ()) == []
