from __future__ import annotations

import pytest

from roles.drift.interval import HOURS, MINUTES, Times, times


@pytest.mark.parametrize(
    ("interval", "on_calendar", "cron"),
    [
        ("5m", "*-*-* *:0/5:00", "*/5 * * * *"),
        ("900s", "*-*-* *:0/15:00", "*/15 * * * *"),
        ("1h", "*-*-* *:00:00", "0 * * * *"),
        ("60m", "*-*-* *:00:00", "0 * * * *"),
        ("6h", "*-*-* 0/6:00:00", "0 */6 * * *"),
        ("24h", "*-*-* 00:00:00", "0 0 * * *"),
        ("1d", "*-*-* 00:00:00", "0 0 * * *"),
    ],
)
def test_when_it_is_due(interval: str, on_calendar: str, cron: str) -> None:
    assert times(interval) == Times(on_calendar, cron)


@pytest.mark.parametrize("interval", ["7m", "45m", "90m", "5h", "2d", "61s", "1m", "0m", "hourly"])
def test_what_divides_neither_hour_nor_day_is_refused(interval: str) -> None:
    with pytest.raises(ValueError, match=rf"expected one of 5m, .*, 12h, 1d, found '{interval}'"):
        times(interval)


def test_all_that_are_known_divide_evenly() -> None:
    assert all(60 % minutes == 0 for minutes in MINUTES)
    assert all(24 % hours == 0 for hours in HOURS)
