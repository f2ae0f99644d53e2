from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roles.docker_engine.status import EngineStatus
from roles.observed import Service
from tests.unit.build import bare, fitted, fleet, foreign, serving
from tests.unit.build import member as one

STOPPED = Service(enabled=True, active=False)


def test_a_serving_host() -> None:
    observed = serving(fleet(one("app-1"), one("registry-1")))["app-1"].observed
    assert EngineStatus.of("app-1", observed) == EngineStatus(
        "app-1",
        "docker.io 20.10.24+dfsg1-1",
        "enabled, running",
        "20.10.24+dfsg1",
        "2 of 2 running",
        True,
    )


@pytest.mark.parametrize(
    "changes, field, told",
    [
        ({"docker_service": Service(enabled=False, active=True)}, "service", "disabled, running"),
        (
            {"docker_version": None, "docker_error": "Cannot connect", "docker_service": STOPPED},
            "answers",
            "Cannot connect",
        ),
        ({"docker_version": None}, "containers", "not known"),
    ],
    ids=["disabled", "stopped", "silent"],
)
def test_an_engine_that_is_not_well(changes: dict[str, Any], field: str, told: str) -> None:
    status = EngineStatus.of("app-1", fitted(**changes))
    assert getattr(status, field) == told
    assert not status.is_well


def test_a_bare_host() -> None:
    status = EngineStatus.of("app-1", bare())
    assert (status.engine, status.answers, status.is_well) == ("none", "no", False)


@pytest.mark.parametrize("ours, well", [(True, False), (False, True)])
def test_a_container_that_is_down_counts_where_it_is_ours(ours: bool, well: bool) -> None:
    found = serving(fleet(one("app-1"), one("registry-1")))["app-1"].observed
    first, *others = found.containers
    down = replace(first if ours else foreign("db"), running=False)
    kept = others if ours else found.containers
    status = EngineStatus.of("app-1", replace(found, containers=(down, *kept)))
    assert status.containers == ("1 of 2 running" if ours else "2 of 3 running")
    assert status.is_well is well


@pytest.mark.parametrize(
    "kind, well", [("before", True), ("next", True), ("failed", True), ("x", False)]
)
def test_what_a_rollout_keeps_stopped_may_be_down(kind: str, well: bool) -> None:
    found = serving(fleet(one("app-1"), one("registry-1")))["app-1"].observed
    first = found.containers[0]
    kept = replace(first, name=f"{first.name}-{kind}", running=False)
    status = EngineStatus.of("app-1", replace(found, containers=(*found.containers, kept)))
    assert status.containers == "2 of 3 running"
    assert status.is_well is well


def test_a_host_that_can_not_be_read() -> None:
    status = EngineStatus.unread("app-1", "can't be reached: no route")
    assert (status.answers, status.is_well) == ("can't be reached: no route", False)
