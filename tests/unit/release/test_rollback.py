"""What is wanted of hosts that go back: their records, and of today's data the pace alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.observed import Drained, Observed
from roles.observed.channel import RemoteError
from roles.release import rollback
from roles.release.record import Record
from roles.release.rollback import recorded
from roles.release.store import Kept
from tests.unit.build import as_read, data, fitted, local_state, serving
from tests.unit.release.build import FIRST, SECOND, THIRD
from tests.unit.release.test_plan import of_round
from tests.unit.release.test_record import made

NAMES = ("app-1", "app-2", "registry-1", "other")
GROUPS = {"engine": ["app-1", "app-2"], "registry": ["registry-1"]}


def of(name: str, number: str) -> Record:
    return made(soa_engine={"environment": {"ROUND": number}}).renamed(name, "ann@laptop")


WHOLE = Kept(SECOND, {FIRST: of(FIRST, "1"), SECOND: of(SECOND, "2")})


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Kept | RemoteError]:
    """What is read from each host; a test may change it."""
    found: dict[str, Kept | RemoteError] = {}

    def read_all(state: State, host: Host) -> Kept:
        its = found.get(host.name, WHOLE)
        if isinstance(its, RemoteError):
            raise its
        return its

    monkeypatch.setattr(rollback, "read_all", read_all)
    return found


def hosts(
    limit: str = "", observed: Mapping[str, Observed] | None = None, **everywhere: Any
) -> State:
    state = local_state(*NAMES, everywhere=everywhere, groups=GROUPS)
    for name in NAMES:
        as_read(state, name, (observed or {}).get(name, fitted()))
    if limit:
        state.limit_hosts = [state.inventory.get_host(limit)]
    return state


def rounds(state: State) -> Mapping[str, str | None]:
    wishes, problems = recorded(state, list(state.inventory))
    assert problems == []
    return {
        host.name: wish.wanted.soa_engine.environment["ROUND"] if wish.wanted.soa_engine else None
        for host, wish in wishes.items()
    }


def problems(state: State) -> list[str]:
    _, found = recorded(state, list(state.inventory))
    return [str(problem) for problem in found]


def test_it_is_what_the_records_say_whatever_is_in_the_data(kept: dict[str, Kept]) -> None:
    nonsense = {"soa_engine": {"port": "none"}, "colour": "blue"}
    expected = {"app-1": "1", "app-2": "1", "registry-1": "1", "other": None}
    assert rounds(hosts(**nonsense)) == expected
    assert rounds(hosts(release=FIRST)) == expected
    assert rounds(hosts(release=SECOND))["app-1"] == "2"


def test_the_release_comes_with_it(kept: dict[str, Kept]) -> None:
    wishes, _ = recorded(state := hosts(), list(state.inventory))
    found = {h.name: w.release.name if w.release else None for h, w in wishes.items()}
    assert found == {"app-1": FIRST, "app-2": FIRST, "registry-1": FIRST, "other": None}


def test_the_pace_is_todays(kept: dict[str, Kept]) -> None:
    state = hosts(rollout={"batch": 3})
    wishes, _ = recorded(state, list(state.inventory))
    assert {wish.wanted.rollout.batch for wish in wishes.values()} == {3}


def test_outside_the_limit_hosts_are_what_they_run(kept: dict[str, Kept]) -> None:
    found = rounds(hosts("app-2"))
    assert (found["app-1"], found["app-2"]) == ("2", "1")


def test_outside_the_limit_a_host_without_a_record_is_what_the_data_says(
    kept: dict[str, Kept],
) -> None:
    kept["app-1"] = Kept()
    said = data()
    said["soa_engine"]["environment"] = {"ROUND": "data"}
    assert rounds(hosts("app-2", **said))["app-1"] == "data"


def test_a_host_outside_the_limit_whose_record_cannot_be_used_is_what_the_data_says(
    kept: dict[str, Kept],
) -> None:
    kept["app-1"] = Kept(SECOND, {}, {SECOND: "is spoilt"})
    said = data()
    said["soa_engine"]["environment"] = {"ROUND": "data"}
    assert rounds(hosts("app-2", **said))["app-1"] == "data"


AWAY = replace(fitted(), drained=Drained("ann@laptop", 1, 2, "new disk"))


def test_a_drained_host_is_what_it_runs_and_needs_no_record_of_the_release(
    kept: dict[str, Kept],
) -> None:
    found = rounds(hosts(observed={"app-1": AWAY}))
    assert (found["app-1"], found["app-2"]) == ("2", "1")
    kept["app-1"] = Kept(THIRD, {THIRD: of(THIRD, "3")})
    found = rounds(hosts(observed={"app-1": AWAY}))
    assert (found["app-1"], found["app-2"]) == ("3", "1")


def test_where_all_are_drained_they_are_what_they_run(kept: dict[str, Kept]) -> None:
    found = rounds(hosts("app-1", observed={"app-1": AWAY}))
    assert (found["app-1"], found["app-2"]) == ("2", "2")


def test_what_a_deploy_that_was_cut_off_has_left_goes_back_to_the_current_release(
    kept: dict[str, Kept],
) -> None:
    one = serving(of_round("cut off"))["app-1"].observed
    found = rounds(hosts(observed={"app-1": one}))
    assert (found["app-1"], found["app-2"]) == ("2", "2")


def test_a_host_that_is_not_connected_is_not_asked(kept: dict[str, Kept]) -> None:
    state = hosts()
    wishes, _ = recorded(state, [state.inventory.get_host("app-1")])
    assert [host.name for host in wishes] == ["app-1"]


def test_in_the_limit_every_host_must_have_it(kept: dict[str, Kept]) -> None:
    kept["app-2"] = Kept(THIRD, {THIRD: of(THIRD, "3")})
    [problem] = problems(hosts(release=FIRST))
    assert problem.startswith(f"app-2: release: has no record of release {FIRST}")


def test_a_record_that_cannot_be_used_forbids_it(kept: dict[str, Kept]) -> None:
    kept["app-2"] = Kept(SECOND, {SECOND: of(SECOND, "2")}, {FIRST: "is spoilt"})
    assert problems(hosts()) == [f"app-2: release: the record of {FIRST} is spoilt; name another"]


def test_a_host_that_cannot_be_asked_forbids_it(
    kept: dict[str, Kept | RemoteError],
) -> None:
    kept["registry-1"] = RemoteError("it broke")
    assert problems(hosts()) == ["registry-1: release: it broke"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("soa_engine.memory_mb", "all but `rollout` comes from the records; leave it away"),
        ("unpin", "all but `rollout` comes from the records; leave it away"),
    ],
)
def test_what_is_said_in_vain_is_refused(kept: dict[str, Kept], key: str, text: str) -> None:
    state = hosts()
    state.inventory.override_data = {key: 1}
    assert problems(state) == [f"inventory: --data {key}: {text}"]


@pytest.mark.parametrize("key", ["rollout.batch", "ssh_user"])
def test_the_pace_and_the_way_to_a_host_can_be_said(kept: dict[str, Kept], key: str) -> None:
    state = hosts()
    state.inventory.override_data = {key: 2}
    assert problems(state) == []


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"release": "yesterday"}, "release: expected a release's name such as "),
        ({"rollout": {"speed": 1}}, "rollout.speed: unknown key; expected one of: batch, canary,"),
        ({"rollout": {"pause_s": "1"}}, "rollout.pause_s: input should be a valid integer"),
    ],
)
def test_wrong_values_are_told(kept: dict[str, Kept], said: dict[str, Any], text: str) -> None:
    assert problems(hosts(**said))[0].startswith(f"app-1: {text}")
