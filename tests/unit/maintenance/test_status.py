from __future__ import annotations

from dataclasses import replace

import pytest

from roles.container.spec import PART_LABEL
from roles.maintenance.status import Line, lines_of
from roles.observed import Container, Drained, Service
from tests.unit.build import fitted, wanted

APP = ("engine", "proxy")


def container(name: str, status: str = "running", **state: object) -> Container:
    told = {"Status": status, "StartedAt": "2026-11-26T10:44:18.5Z", **state}
    inspect = {"Config": {"Labels": {PART_LABEL: "soa_engine"}}, "State": told}
    return Container(name, f"{name}:1", status in ("running", "paused"), inspect)


def test_each_part_has_its_line() -> None:
    observed = fitted(containers=(container("engine"), container("proxy")))
    assert list(lines_of("app-1", APP, wanted(), observed)) == [
        Line("app-1", "engine", "engine", "engine:1", "running", "2026-11-26 10:44:18"),
        Line("app-1", "proxy", "proxy", "proxy:1", "running", "2026-11-26 10:44:18"),
    ]


def test_what_does_not_run_is_not_well() -> None:
    ended = container("engine", "exited", FinishedAt="2026-11-26T11:00:00.1Z")
    paused = container("proxy", "paused", Paused=True)
    found = list(lines_of("app-1", APP, wanted(), fitted(containers=(ended, paused))))
    assert [(line.state, line.since, line.is_well) for line in found] == [
        ("exited", "2026-11-26 11:00:00", False),
        ("paused", "2026-11-26 10:44:18", False),
    ]
    found = list(lines_of("app-1", ("engine",), wanted(), fitted()))
    assert found == [Line("app-1", "engine", "engine", state="is not there", is_well=False)]


def test_what_never_ran_says_no_time() -> None:
    created = container("engine", "created", FinishedAt="0001-01-01T00:00:00Z")
    (line,) = lines_of("app-1", ("engine",), wanted(), fitted(containers=(created,)))
    assert (line.state, line.since, line.is_well) == ("created", "", False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"docker_hangs": True}, "its Docker engine hangs: it did not answer in time"),
        ({"docker_error": "odd"}, "its Docker engine runs and does not answer: odd"),
        (
            {"docker_error": "no socket", "docker_service": Service(enabled=True)},
            "its Docker engine is stopped: no socket",
        ),
    ],
)
def test_an_engine_that_tells_nothing_is_no_container_that_is_not_there(
    changes: dict[str, object], why: str
) -> None:
    found = list(lines_of("app-1", APP, wanted(), fitted(docker_version=None, **changes)))
    told = f"does not tell what runs there: {why}"
    assert found == [Line("app-1", state="not known", told=told, is_well=False)]
    assert [line.state for line in lines_of("db-1", (), wanted(), fitted(**changes))] == [
        "runs no part"
    ]


def test_what_a_failure_has_left_is_shown_and_no_fault() -> None:
    kept = container("engine-failed", "exited", FinishedAt="2026-11-26T11:00:00.1Z")
    observed = fitted(containers=(container("engine"), kept))
    found = list(lines_of("app-1", ("engine",), wanted(), observed))
    assert [(line.part, line.container, line.is_well) for line in found] == [
        ("engine", "engine", True),
        ("kept", "engine-failed", True),
    ]


def test_a_drained_host_says_by_whom() -> None:
    away = Drained("ann@laptop", 1_764_000_000, 1_764_007_200, "new disk")
    found = next(lines_of("app-1", (), wanted(), replace(fitted(), drained=away)))
    assert found.state == "drained"
    assert found.told.startswith("is drained by ann@laptop since 2025-11-24 16:00:00")
    assert [line.state for line in lines_of("db-1", (), wanted(), fitted())] == ["runs no part"]
