from __future__ import annotations

from typing import Any

import pytest

from roles.docker_engine.plan import check, packages, plan
from roles.observed import Observed, Service
from tests.unit.build import bare, fitted, fleet, member

DEBIAN_13 = {"os_version": "13"}


def planned(observed: Observed, in_limit: bool = True) -> list[str]:
    found = fleet(member("app-1", observed=observed, in_limit=in_limit))
    return [str(change) for change in plan(found)]


def told(observed: Observed) -> list[str]:
    return [str(problem) for problem in check(fleet(member("app-1", observed=observed)))]


@pytest.mark.parametrize(
    "observed, changes",
    [
        (
            bare(),
            ["app-1: docker_engine: install docker.io, enable and start docker.service: absent"],
        ),
        (
            bare(**DEBIAN_13),
            [
                "app-1: docker_engine: install docker.io, docker-cli, "
                "enable and start docker.service: absent"
            ],
        ),
        (
            bare(**DEBIAN_13, packages={"docker.io": "26.1.5"}),
            ["app-1: docker_engine: install docker-cli, enable and start docker.service: absent"],
        ),
        (fitted(), []),
        (
            fitted(docker_service=Service(enabled=True, active=False)),
            ["app-1: docker_engine: enable and start docker.service: stopped"],
        ),
        (
            fitted(docker_service=Service(enabled=False, active=True)),
            ["app-1: docker_engine: enable and start docker.service: disabled"],
        ),
        (
            fitted(docker_service=Service()),
            ["app-1: docker_engine: enable and start docker.service: disabled and stopped"],
        ),
    ],
    ids=["bare", "bare-13", "client-missing", "fitted", "stopped", "disabled", "both"],
)
def test_plan(observed: Observed, changes: list[str]) -> None:
    assert planned(observed) == changes


def test_hosts_outside_the_limit_are_not_changed() -> None:
    assert planned(bare(), in_limit=False) == []


@pytest.mark.parametrize(
    "release, expected",
    [
        (("debian", "12"), ("docker.io",)),
        (("debian", "13"), ("docker.io", "docker-cli")),
        (("debian", "11"), ()),
        (("ubuntu", "12"), ()),
        (("", ""), ()),
    ],
    ids=str,
)
def test_packages(release: tuple[str, str], expected: tuple[str, ...]) -> None:
    assert packages(bare(os_id=release[0], os_version=release[1])) == expected


def test_fit_hosts() -> None:
    assert told(bare()) == told(fitted()) == []


@pytest.mark.parametrize(
    "changes, problem",
    [
        (
            {"os_id": "alpine", "os_version": "3.20"},
            "docker_engine.source: 'distro' knows the packages of debian 12, debian 13; "
            "found alpine 3.20",
        ),
        (
            {"docker_hangs": True, "docker_version": None},
            "docker_engine: `docker version` did not answer within 10 s; look at "
            "`journalctl -u docker` there, restart the service, and run again",
        ),
        (
            {"docker_error": "Cannot connect", "docker_version": None},
            "docker_engine: docker.service runs, but its engine does not answer: Cannot connect",
        ),
    ],
    ids=["unknown-distribution", "hangs", "does-not-answer"],
)
def test_what_forbids_a_run(changes: dict[str, Any], problem: str) -> None:
    assert told(fitted(**changes)) == [f"app-1: {problem}"]


def test_an_engine_that_is_stopped_is_started_not_refused() -> None:
    stopped = fitted(
        docker_service=Service(enabled=True), docker_error="Cannot connect", docker_version=None
    )
    assert told(stopped) == []
    assert len(planned(stopped)) == 1


def test_an_engine_of_another_source_is_not_replaced_behind_its_owners_back() -> None:
    assert told(bare(packages={"docker-ce": "5:26.1.4-1"})) == [
        "app-1: docker_engine.source: docker-ce is installed, which 'distro' would replace; "
        "remove it first"
    ]
