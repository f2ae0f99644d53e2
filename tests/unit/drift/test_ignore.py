"""What is ignored, by which rule, and until when."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from roles.drift.ignore import IgnoreRule, ignored
from roles.drift.model import Finding

TODAY = date(2027, 1, 31)
FOUND = Finding("app-1", "soa_engine", "engine.memory_mb", "256", "512", "by hand")


def rule(**said: Any) -> IgnoreRule:
    return IgnoreRule(**{"path": "*", "reason": "a test", "until": "2027-01-31", **said})


@pytest.mark.parametrize(
    "said, is_ignored",
    [
        ({}, True),
        ({"path": "engine.memory_mb"}, True),
        ({"path": "engine.*"}, True),
        ({"path": "engine"}, False),
        ({"host": "app-*"}, True),
        ({"host": "app-2"}, False),
        ({"role": "soa_engine"}, True),
        ({"role": "proxy"}, False),
        ({"until": "2027-02-01"}, True),
        ({"until": "2027-01-30"}, False),
    ],
)
def test_what_a_rule_is_about(said: dict[str, Any], is_ignored: bool) -> None:
    [marked], _ = ignored([FOUND], [rule(**said)], TODAY)
    assert (marked.ignored is not None) == is_ignored


def test_the_reason_is_told_and_the_end() -> None:
    [marked], notes = ignored([FOUND], [rule(reason="being tried")], TODAY)
    assert (marked.ignored, notes) == ("being tried (until 2027-01-31)", [])


def test_a_rule_that_is_over_is_told_where_it_would_matter() -> None:
    ended = rule(path="engine.*", until="2027-01-30")
    assert ignored([FOUND], [ended], TODAY) == (
        [FOUND],
        ["drift.ignore: the rule for engine.* ended on 2027-01-30"],
    )
    assert ignored([], [ended], TODAY) == ([], [])
    assert ignored([FOUND], [ended, rule()], TODAY)[1] == []


def test_what_is_no_single_host_s() -> None:
    node = Finding(None, "soa_engine", "/osp/x/1.2.3.4:1", "absent", "registered", "foreign")
    [marked], _ = ignored([node], [rule(host="-")], TODAY)
    assert marked.ignored


@pytest.mark.parametrize(
    "said, words",
    [
        ({"until": "soon"}, "expected a day such as '2027-01-31', found 'soon'"),
        ({"reason": ""}, "at least 1 character"),
        ({"path": ""}, "at least 1 character"),
        ({"hosts": "x"}, "Extra inputs"),
    ],
)
def test_a_rule_that_is_none(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rule(**said)
