"""How often something is done, as the timer of systemd and as cron have to be told. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from roles.maintenance.spec import seconds

MINUTES = (5, 6, 10, 12, 15, 20, 30)
HOURS = (1, 2, 3, 4, 6, 8, 12)
DAY_S = 86400
KNOWN = ", ".join([*(f"{n}m" for n in MINUTES), *(f"{n}h" for n in HOURS), "1d"])


@dataclass(frozen=True)
class Times:
    """At which times of the day, by the machine's clock."""

    on_calendar: str
    """What stands behind systemd's `OnCalendar=`."""
    cron: str
    """The first five fields of a line of cron's."""


def times(interval: str) -> Times:
    """Return when something is due that is done every `interval`, such as `15m`, `2h` or `1d`.

    Only what divides an hour, or a day, evenly: cron knows no other, and what comes after midnight
    would come too early.

    Raises:
        ValueError: it is no such interval.
    """
    try:
        found_s = seconds(interval)
    except ValueError:
        found_s = 0
    if found_s == DAY_S:
        return Times("*-*-* 00:00:00", "0 0 * * *")
    hours, minutes = found_s // 3600, found_s // 60
    if hours * 3600 == found_s and hours in HOURS:
        every = "*" if hours == 1 else f"0/{hours}"
        return Times(f"*-*-* {every}:00:00", f"0 {every.replace('0/', '*/')} * * *")
    if minutes * 60 == found_s and minutes in MINUTES:
        return Times(f"*-*-* *:0/{minutes}:00", f"*/{minutes} * * * *")
    raise ValueError(f"expected one of {KNOWN}, found '{interval}'")
