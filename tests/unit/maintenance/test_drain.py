from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from pydantic import ValidationError

from roles.maintenance import drain, reboot, undrain
from roles.maintenance.spec import DrainWish, seconds
from roles.observed import Drained
from roles.run.fleet import Fleet, Member
from tests.unit.build import fitted, member

AWAY = Drained("ann@laptop", 1_764_000_000, 1_764_007_200, "new disk")
WISH = {"reason": "new disk", "duration": "2h"}


def app(number: int, is_drained: bool = False, **changes: Any) -> Member:
    found = member(f"app-{number}", **{"drain": WISH, **changes})
    return replace(found, absent=AWAY if is_drained else None)


def fleet(*members: Member) -> Fleet:
    return Fleet(members)


@pytest.mark.parametrize(
    "duration, found_s", [("90s", 90), ("30m", 1800), ("2h", 7200), ("30d", 2592000)]
)
def test_durations(duration: str, found_s: int) -> None:
    assert seconds(duration) == found_s


@pytest.mark.parametrize("duration", ["", "2", "0s", "2 h", "1w", "31d", "-1h", "999999d"])
def test_what_is_no_duration(duration: str) -> None:
    with pytest.raises(ValidationError, match="expected a time like 90s, 30m, 2h or 1d"):
        DrainWish(reason="x", duration=duration)


def test_a_drain_is_planned_for_the_hosts_of_the_limit() -> None:
    found = drain.plan(fleet(app(1), app(2, in_limit=False)))
    assert [str(change) for change in found] == [
        "app-1: maintenance: drain: new disk, for 2h (interrupts)"
    ]
    assert drain.check(fleet(app(1), app(2, in_limit=False))) == []


def test_a_drain_without_a_reason() -> None:
    [problem] = drain.check(fleet(app(1, drain=None), app(2, in_limit=False)))
    assert problem.key == "drain.reason" and "--data drain.reason=REASON" in problem.text


@pytest.mark.parametrize("others", [(), (app(2),), (app(2, is_drained=True, in_limit=False),)])
def test_somebody_must_stay(others: tuple[Member, ...]) -> None:
    engine, proxy = drain.check(fleet(app(1), *others))
    assert "would leave no engine in service" in engine.text
    assert "would leave no proxy in service" in proxy.text


def test_the_only_proxy_must_stay() -> None:
    edge, app_1 = replace(app(3), groups=frozenset({"proxy"})), app(1, in_limit=False)
    only = replace(app_1, groups=frozenset({"engine"}))
    [problem] = drain.check(fleet(edge, only))
    assert "would leave no proxy in service" in problem.text


@pytest.mark.parametrize(
    "how, status, is_refused",
    [
        ({"by": "mark"}, None, False),
        (None, None, True),
        ({"by": "signal", "signal": "SIGUSR1"}, None, True),
        (None, {"port": 2081}, False),
    ],
    ids=["by-mark", "no-drain", "by-signal", "proxies-that-tell"],
)
def test_an_engine_that_cant_be_kept_away(
    how: dict[str, str] | None, status: dict[str, int] | None, is_refused: bool
) -> None:
    told = {"soa_engine": {"drain": how}, "proxy": {"status": status}}
    found = drain.check(fleet(app(1, **told), app(2, in_limit=False, **told)))
    assert [problem.key for problem in found] == (["soa_engine.drain"] if is_refused else [])


def test_what_is_written_down() -> None:
    found = drain.drained(DrainWish(**WISH), app(1))
    assert found.until - found.since == 7200
    late = replace(app(1), observed=fitted(clock_skew_s=-600.0))
    assert -605 < drain.drained(DrainWish(**WISH), late).since - found.since < -595
    assert drain.told(found, "app-1")["host"] == "app-1"
    assert drain.told(found, "app-1")["until"] == str(found.until)


def test_only_drained_hosts_are_called_back() -> None:
    found = undrain.plan(fleet(app(1), app(2, is_drained=True), app(3, True, in_limit=False)))
    assert [str(change) for change in found] == [
        "app-2: maintenance: undrain: drained by ann@laptop since 2025-11-24 16:00:00 "
        "until 2025-11-24 18:00:00 UTC: new disk"
    ]


def test_a_host_without_systemd_is_not_rebooted() -> None:
    old = app(1)
    old = replace(old, observed=replace(old.observed, init="init"))
    [problem] = reboot.check(fleet(old, app(2)))
    assert problem.host == "app-1" and "expected systemd" in problem.text


def test_a_reboot_says_who_has_drained_the_host() -> None:
    found = [change.why for change in reboot.plan(fleet(app(1), app(2, is_drained=True)))]
    assert found[0] == "asked for"
    assert found[1].startswith("asked for, though it is drained by ann@laptop since ")


def test_who_may_be_called_still_is_not_rebooted() -> None:
    unsure = replace(app(1), absent=replace(AWAY, is_leaving=True))
    [problem] = reboot.check(fleet(unsure, app(2)))
    assert str(problem).startswith("app-1: drain: it may be called still")
    assert reboot.check(fleet(app(1, is_drained=True), app(2))) == []


@pytest.mark.parametrize("is_leaving", [True, False])
def test_a_mark_and_a_record_tell_the_same(is_leaving: bool) -> None:
    found = replace(AWAY, is_leaving=is_leaving)
    assert Drained.of(drain.told(found, "app-1")) == found
    assert Drained.of(asdict(found)) == found
