from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roles.docker_engine.materials import Materials
from roles.docker_engine.service import check, left, plan, steps
from roles.observed import Observed, Service
from tests.unit.build import bare, change, fitted, fleet, look_again, serving
from tests.unit.docker_engine.build import one

RUNS, STOPPED = Service(True, True), Service(True, False)
FLEET = serving(fleet("app-1", "registry-1"))


@pytest.mark.parametrize(
    "service, action, expected",
    [
        (RUNS, "status", []),
        (RUNS, "start", []),
        (RUNS, "stop", ["stop docker.service: asked for (interrupts)"]),
        (RUNS, "restart", ["restart docker.service: asked for (interrupts)"]),
        (STOPPED, "status", []),
        (STOPPED, "start", ["start docker.service: stopped"]),
        (STOPPED, "stop", []),
        (STOPPED, "restart", ["restart docker.service: asked for"]),
        (RUNS, None, []),
    ],
    ids=str,
)
def test_plan(service: Service, action: str | None, expected: list[str]) -> None:
    found = one(fitted(docker_service=service), action=action)
    assert [str(c) for c in plan(fleet(found))] == [
        f"app-1: docker_engine: {text}" for text in expected
    ]


def test_containers_of_ours_that_a_stop_left_are_started() -> None:
    containers = FLEET["app-1"].observed.containers
    names = [container.name for container in containers]
    assert sorted(names) == ["engine", "proxy"]
    wanted = one(fitted(), action="start").wanted
    stopped = tuple(type(c)(c.name, c.image, c.name != "engine", c.inspect) for c in containers)
    found = change(look_again(FLEET, "app-1", containers=stopped), "app-1", wanted=wanted)
    assert [str(c) for c in plan(found)] == [
        "app-1: docker_engine: start docker.service and engine: stopped"
    ]
    assert plan(change(FLEET, "app-1", wanted=wanted)) == []


def test_one_that_serves_under_the_next_name_is_not_stopped() -> None:
    """A rollout that ended early has left the one that it replaced beside it."""
    containers = [c for c in FLEET["app-1"].observed.containers if c.name != "engine"]
    engine = FLEET["app-1"].observed.container("engine")
    assert engine
    kept = [
        replace(engine, name="engine-next"),
        replace(engine, name="engine-before", running=False),
    ]
    wanted = one(fitted(), action="start").wanted
    found = look_again(FLEET, "app-1", containers=(*containers, *kept))
    assert plan(change(found, "app-1", wanted=wanted)) == []


def test_hosts_outside_the_limit_are_not_changed() -> None:
    assert plan(fleet(one(fitted(), action="stop", in_limit=False))) == []


def test_an_action_must_be_named() -> None:
    assert [str(p) for p in check(fleet("app-1", one(fitted(), action="stop")))] == [
        "inventory: action: expected --data action=ACTION, where ACTION is one of status, start, "
        "stop, restart"
    ]


@pytest.mark.parametrize(
    "observed, in_limit, problems",
    [
        (fitted(), True, []),
        (bare(docker_version="27.0.1"), True, []),
        (fitted(docker_version=None), True, []),
        (bare(), False, []),
        (
            bare(),
            True,
            ["app-1: docker_engine: has no engine; deploy/engine.py installs one"],
        ),
    ],
    ids=["packages", "by-hand", "stopped", "outside-the-limit", "none"],
)
def test_a_host_must_have_an_engine(
    observed: Observed, in_limit: bool, problems: list[str]
) -> None:
    found = fleet(one(observed, action="status", in_limit=in_limit))
    assert [str(problem) for problem in check(found)] == problems


@pytest.mark.parametrize(
    "service, action, done",
    [
        (RUNS, "start", True),
        (RUNS, "stop", False),
        (RUNS, "restart", True),
        (RUNS, "status", True),
        (STOPPED, "start", False),
        (STOPPED, "stop", True),
        (STOPPED, "restart", False),
    ],
    ids=str,
)
def test_what_is_left_to_do(service: Service, action: str, done: bool) -> None:
    assert (left(one(fitted(docker_service=service), action=action)) == []) is done


@pytest.mark.parametrize(
    "action, containers, expected",
    [
        (
            "start",
            {},
            [["only_one", "10"], ["service_up", "20"], ["start_ours", "dockyard.part"]],
        ),
        (
            "stop",
            {"engine": 30, "proxy": 10},
            [
                ["only_one", "10"],
                ["stop_containers", "30", "engine", "10", "proxy"],
                ["leave_stopped"],
                ["service_down"],
            ],
        ),
        (
            "restart",
            {"engine": 30},
            [["only_one", "10"], ["stop_containers", "30", "engine"], ["service_again", "20"]],
        ),
        ("restart", {}, [["only_one", "10"], ["service_again", "20"]]),
    ],
    ids=["start", "stop", "restart", "restart-without-containers"],
)
def test_steps(action: str, containers: dict[str, int], expected: list[Any]) -> None:
    found = one(fitted(), {"lock_timeout_s": 10, "start_timeout_s": 20}, action=action)
    assert steps(found, [], Materials(), containers) == (expected, {})


def test_a_restart_of_what_was_stopped_starts_our_containers() -> None:
    found = one(fitted(docker_service=STOPPED), action="restart")
    told, _ = steps(found, [], Materials(), {})
    assert ["start_ours", "dockyard.part"] in told
