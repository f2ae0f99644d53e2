from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from roles.observed import Release, ReleasedPart
from roles.observed.releases import head, release
from roles.release.record import Record, Unreadable, kept, new_name, read, record
from tests.unit.build import wanted

NAME = "2026-01-02T03:04:05Z"
PARTS = {"proxy": ReleasedPart("abc", "proxy:1", "sha256:1")}
CANARY = "c4n4ry"


def made(**changes: Any) -> Record:
    return record(NAME, "ann@laptop", PARTS, wanted(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"soa_engine": {"health": "none", "volumes": ["/a/:/b/:rw"], "cpus": 1.5}},
        {"soa_engine": {"health": {"command": "true", "interval_s": 3}, "tmpfs": {"/tmp": ""}}},
        {"soa_engine": {"ulimits": {"nofile": "9"}, "cap_add": ["CAP_CHOWN"], "second_port": 7}},
        {"soa_engine": {"environment": {"A": 'ü "\\ |'}, "drain": {"by": "mark"}}},
        {"export_ip": "198.18.0.9", "export_ip_nat": True, "host_check": {"accept": ["memory"]}},
        {"docker_engine": {"config": {"data-root": "/d", "x": None}, "version": "26.1.5"}},
        {"docker_engine": {"source": "files", "files": [{"path": "/a", "sha256": "a" * 64}]}},
        {"registry": {"server": None, "connection": "[2001:db8::1]:2181"}},
    ],
    ids=str,
)
def test_what_is_wanted_comes_back_as_it_was(changes: dict[str, Any]) -> None:
    assert read(made(**changes).text) == made(**changes)


def test_it_is_json_whose_first_line_tells_the_release_and_no_secret() -> None:
    text = made(soa_engine={"environment": {"TOKEN": CANARY}}).text
    first, second, end = text.split("\n")
    assert (end, CANARY in first, CANARY in second) == ("", False, True)
    assert json.loads(text)["wanted"]["soa_engine"]["environment"] == {"TOKEN": CANARY}
    assert release(head(first)) == Release(NAME, "ann@laptop", PARTS) == read(text).release


def test_what_is_said_of_one_run_is_not_recorded() -> None:
    said = {
        "rollout": {"batch": 7},
        "unpin": True,
        "action": "stop",
        "drain": {"reason": "new disk"},
        "logs": {"part": "engine"},
        "verify_report": "/x",
    }
    assert made(**said) != made()
    assert read(made(**said).text) == made()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "has the form 2, and this Dockyard reads 1 alone"),
        ({"parts": []}, "is spoilt"),
        ({"wanted": {"later": CANARY}}, "says what this Dockyard does not know: wanted.later"),
        (
            {"wanted": {"soa_engine": {"environment": {"a b": CANARY}, "container": CANARY}}},
            "says what this Dockyard does not know: ",
        ),
    ],
)
def test_what_cannot_be_used_says_why_and_no_value(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(json.dumps({**json.loads(made().text), **change}))
    assert str(caught.value).startswith(why)
    assert CANARY not in str(caught.value)


def test_a_record_that_is_cut_off_is_spoilt() -> None:
    text = made().text
    for length in (0, 1, len(text) // 2, len(text) - 2):
        with pytest.raises(Unreadable, match="is spoilt"):
            read(text[:length])


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ([], NAME),
        (["2026-01-01T00:00:00Z"], NAME),
        ([NAME], "2026-01-02T03:04:06Z"),
        (["2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"], "2027-01-01T00:00:00Z"),
    ],
    ids=["first", "later", "the-same-second", "a-clock-put-back"],
)
def test_a_new_release_sorts_after_all_others(known: list[str], name: str) -> None:
    assert new_name(NOW, known) == name


@pytest.mark.parametrize(
    ("names", "current", "before", "left"),
    [
        ("", "1", None, "1"),
        ("12", "3", "2", "123"),
        ("123", "4", "3", "234"),
        ("1234", "5", "1", "1345"),
        ("234", "5", "1", "345"),
        ("1234", "2", "4", "234"),
        ("12345", "1", "5", "1345"),
    ],
)
def test_the_last_three_are_kept_the_current_and_the_one_before(
    names: str, current: str, before: str | None, left: str
) -> None:
    assert kept(names, current, before) == list(left)
