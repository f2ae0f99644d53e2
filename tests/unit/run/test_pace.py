from __future__ import annotations

import pytest
from pydantic import ValidationError

from roles.run.pace import Pace


def batches(treated: str, hosts: int, **pace: object) -> list[str]:
    return ["".join(batch) for batch in Pace.model_validate(pace).batches(treated, hosts)]


@pytest.mark.parametrize(
    "treated, hosts, pace, expected",
    [
        ("", 3, {}, []),
        ("abc", 3, {}, ["a", "b", "c"]),
        ("abcde", 5, {"batch": 2}, ["a", "bc", "de"]),
        ("abcde", 5, {"batch": 2, "canary": False}, ["ab", "cd", "e"]),
        ("abcd", 4, {"batch": 9}, ["a", "bcd"]),
        ("abcde", 10, {"batch": "25%"}, ["a", "bc", "de"]),
        ("abcde", 3, {"batch": "25%"}, ["a", "b", "c", "d", "e"]),
        ("abcde", 5, {"batch": "100%", "canary": False}, ["abcde"]),
    ],
)
def test_batches(treated: str, hosts: int, pace: dict[str, object], expected: list[str]) -> None:
    assert batches(treated, hosts, **pace) == expected


def test_one_by_one() -> None:
    pace = Pace.model_validate({"batch": "50%", "on_failure": "rollback"}).one_by_one
    assert (pace.size(10), pace.on_failure) == (1, "rollback")


@pytest.mark.parametrize("batch", [0, -1, "0%", "101%", "half", "2", 1.5, True])
def test_a_wrong_batch(batch: object) -> None:
    with pytest.raises(ValidationError):
        Pace.model_validate({"batch": batch})
