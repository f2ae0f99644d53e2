"""The record of the lease, as the probe prints it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from roles.observed.lease import Lease, clock, lease_of, parse_lease

RECORD = ["|a1", "|1764000060", "|3", "|ann@laptop", "|1764000000", "|deploy/soa.py"]
READ = Lease("a1", 1764000060, 3, "ann@laptop", 1764000000, "deploy/soa.py", left_s=20)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], Lease()),
        (["now=1764000040"], Lease()),
        (["now=1764000040", *RECORD], READ),
        (["now=1764000060", *RECORD], replace(READ, left_s=0)),
        (["now=1764000070", *RECORD], replace(READ, left_s=0)),
        (
            ["now=1764000040", "|", "|0", *RECORD[2:]],
            replace(READ, token="", expires_s=0, left_s=0),
        ),
        (["now=1764000040", "|a1", "|soon"], Lease("a1")),
        (["now=1764000040", "|\0\0", "|²", "|-1"], Lease("\0\0")),
        (["now=1764000040", *RECORD, "|more"], READ),
    ],
)
def test_what_a_record_says(lines: list[str], found: Lease) -> None:
    assert parse_lease(lines) == found


def test_who_has_come_while_the_host_was_read_has_it_and_is_seen_as_a_change() -> None:
    before = ["now=1764000000", "|", "|0", "|2", "|bob@desk", "|1763000000", "|deploy/soa.py"]
    after = ["now=1764000040", *RECORD]
    assert lease_of(before, after) == replace(READ, generation=2)
    assert lease_of(before, before) == parse_lease(before)
    assert lease_of(after, []) == READ


@pytest.mark.parametrize(
    ("left_s", "is_held"), [(0, False), (1, True), (3600, True), (3601, False)]
)
def test_it_is_held_while_something_is_left_and_not_more_than_anybody_gets(
    left_s: int, is_held: bool
) -> None:
    assert replace(READ, left_s=left_s).is_held is is_held


def test_a_time_is_told_with_its_day_only_where_that_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1764000000
    local = time.localtime
    monkeypatch.setattr(time, "localtime", lambda *at: local(*(at or (now_s,))))
    assert clock(now_s) == time.strftime("%H:%M:%S", local(now_s))
    before = now_s - 86_400
    assert clock(before) == time.strftime("%Y-%m-%d %H:%M:%S", local(before))
