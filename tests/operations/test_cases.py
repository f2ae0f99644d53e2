from __future__ import annotations

import logging
from pathlib import Path as File

import click
import pytest

from tests.operations.case import CASES, cases, commands, load


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case.relative_to(CASES))[:-5])
def test_an_operation(case: File, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")
    assert commands(case) == load(case)["commands"]
    told = [click.unstyle(record.message).strip() for record in caplog.records]
    assert told == [f"+ {line}" for line in load(case).get("done", [])]
