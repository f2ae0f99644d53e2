"""What is told of the hosts at the end of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyinfra.api import State

from roles.container.spec import PART_LABEL
from roles.observed import Container, Observed
from roles.observed.channel import RemoteError
from roles.run import summary
from roles.run.current import remember
from tests.unit.build import bare, fleet, member, state_of

LABELS = {"Config": {"Labels": {PART_LABEL: "soa_engine"}}}
ENGINE = Container("engine", "engine:1", True, LABELS)
BEFORE = Container("engine-before", "engine:0", False, LABELS)
OTHER = Container("somebody-s", "other:1", True)


def having(*containers: Container) -> Observed:
    return bare(docker_version="20.10.24", containers=containers)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> State:
    """Three hosts as they are at the end, one of which can't be read."""
    names = ("app-1", "app-2", "app-3")
    groups = frozenset({"engine"})
    found = fleet(*(replace(member(name), groups=groups) for name in names))
    state = state_of(found)
    remember(state, replace(found, unreachable=("app-4",)))
    now = {
        "app-1": having(ENGINE, BEFORE, OTHER),
        "app-2": having(OTHER),
        "app-3": RemoteError("the connection broke"),
    }
    monkeypatch.setattr(
        "roles.run.summary.observe_all", lambda state, looks: {h: now[h.name] for h in looks}
    )
    caplog.set_level("INFO")
    return state


def test_of_every_part_what_runs_and_what_was_left(
    told: State, caplog: pytest.LogCaptureFixture
) -> None:
    summary.tell(told, briefly=False)
    assert [record.message for record in caplog.records] == [
        "--> What runs now:",
        "    app-1  soa_engine  engine         engine:1  running",
        "    app-1  soa_engine  engine-before  engine:0  stopped",
        "    app-2  soa_engine  no container",
        "    app-3: what runs there is not known: the connection broke",
        "    app-4: what runs there is not known: it was not reached",
    ]


def test_an_engine_that_hangs_is_not_one_without_containers(
    told: State, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = bare(docker_hangs=True)
    monkeypatch.setattr(
        "roles.run.summary.observe_all", lambda state, looks: dict.fromkeys(looks, hangs)
    )
    summary.tell(told, briefly=True)
    why = "its Docker engine hangs: it did not answer in time"
    assert [record.message for record in caplog.records][:3] == [
        f"    app-{n}: what runs there is not known: {why}" for n in (1, 2, 3)
    ]


def test_briefly_on_how_many_hosts_a_part_runs(
    told: State, caplog: pytest.LogCaptureFixture
) -> None:
    summary.tell(told, briefly=True)
    assert caplog.records[1].message == "    soa_engine: 1 of 3 hosts"
    assert "app-3: what runs there is not known" in caplog.text
