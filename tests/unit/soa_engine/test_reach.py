from __future__ import annotations

import pytest

from roles.soa_engine.reach import Matrix, shown


@pytest.mark.parametrize(
    "matrix, text",
    [
        (
            {
                ("app-1", "198.18.0.11:1080"): True,
                ("app-1", "198.18.0.12:1080"): False,
                ("a-longer-name", "198.18.0.11:1080"): True,
                ("a-longer-name", "198.18.0.12:1080"): None,
            },
            "  from           198.18.0.11:1080  198.18.0.12:1080\n"
            "  app-1          yes               NO\n"
            "  a-longer-name  yes               ?",
        ),
        (
            {("app-1", "[2001:db8::1]:1080"): False},
            "  from   [2001:db8::1]:1080\n  app-1  NO",
        ),
        ({}, "  from  "),
    ],
    ids=["two by two", "one", "none"],
)
def test_who_reaches_whom(matrix: Matrix, text: str) -> None:
    assert shown(matrix) == text
