from __future__ import annotations

from pathlib import Path as File

import pytest

from tests.operations.case import CASES, cases, commands


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case.relative_to(CASES))[:-5])
def test_an_operation_yields(case: File) -> None:
    found, expected = commands(case)
    assert found == expected
