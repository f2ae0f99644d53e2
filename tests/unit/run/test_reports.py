from __future__ import annotations

import pytest
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import StateStage

from roles.run.reports import run_reports
from tests.unit.build import local_state


@pytest.mark.parametrize(
    "deploy, said, stage, runs",
    [
        ("deploy/verify.py", {}, StateStage.Connect, True),
        ("deploy/service.py", {"action": "status"}, StateStage.Connect, True),
        ("deploy/service.py", {"action": "restart"}, StateStage.Connect, False),
        ("deploy/rollback.py", {"release": "list"}, StateStage.Connect, True),
        ("deploy/rollback.py", {"action": "status"}, StateStage.Connect, False),
        ("deploy/soa.py", {}, StateStage.Connect, False),
        ("deploy/verify.py", {}, StateStage.Execute, False),
    ],
    ids=["a-report", "status", "no-status", "list", "no-list", "no-report", "later"],
)
def test_a_report_runs_though_no_host_is_left(
    monkeypatch: pytest.MonkeyPatch,
    deploy: str,
    said: dict[str, str],
    stage: StateStage,
    runs: bool,
) -> None:
    ran: list[str] = []
    monkeypatch.setattr("pyinfra_cli.util.exec_file", ran.append)
    state = local_state("app-1", everywhere=said)
    run_reports(state, (deploy,))
    state.current_stage = stage
    with pytest.raises(PyinfraError, match="No hosts remaining"):
        state.fail_hosts(set(state.inventory), activated_count=1)
    assert ran == ([deploy] if runs else [])


def test_a_report_runs_once_where_hosts_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyinfra_cli.util.exec_file", lambda _: pytest.fail("it ran"))
    state = local_state("app-1", "app-2")
    run_reports(state, ("deploy/verify.py",))
    state.current_stage = StateStage.Connect
    state.fail_hosts({state.inventory.get_host("app-1")}, activated_count=2)
    assert [host.name for host in state.active_hosts] == ["app-2"]
