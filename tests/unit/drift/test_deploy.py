"""For which machine the deploy is. It is never run here: it would make an account."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import DeployError
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import ctx_host, ctx_state

from roles.drift.deploy import _spec
from roles.drift.spec import ScheduleSpec
from tests.unit.build import local_state


def spec(*names: str, is_local: bool = True, **schedule: Any) -> ScheduleSpec:
    state = local_state(*names, everywhere={"drift": {"schedule": schedule}})
    host = state.inventory.get_host(names[0])
    host.connector = host.connector_cls(state, host)
    if not is_local:
        host.connector = SSHConnector(state, host)
    with ctx_state.use(state), ctx_host.use(host):
        return _spec()


def test_what_is_wanted_of_this_machine() -> None:
    assert spec("@local", interval="15m") == ScheduleSpec(interval="15m")


@pytest.mark.parametrize(("names", "is_local"), [(("a", "b"), True), (("a",), False)])
def test_other_machines_are_refused(names: tuple[str, ...], is_local: bool) -> None:
    with pytest.raises(DeployError, match=r"pyinfra @local deploy/schedule_drift\.py"):
        spec(*names, is_local=is_local)


def test_wrong_data_is_told_before_anything_is_looked_at() -> None:
    with pytest.raises(
        DeployError, match=r"(?s)1 problem.*nothing was changed.*drift.schedule.keep"
    ):
        spec("@local", keep=0)
