"""What may be said of an engine, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from roles.soa_engine.spec import Drain
from tests.unit.build import wanted

SIGNAL = "expected a 'signal' where, and only where, 'by' is 'signal'"


@pytest.mark.parametrize(
    "drain, text",
    [
        ({}, None),
        ({"by": "mark"}, None),
        ({"by": "signal", "signal": "SIGUSR1"}, None),
        ({"by": "signal", "signal": "SIGUSR1", "undrain_signal": "SIGUSR2"}, None),
        ({"by": "signal"}, SIGNAL),
        ({"by": "mark", "signal": "SIGUSR1"}, SIGNAL),
        ({"signal": "SIGUSR1"}, SIGNAL),
        ({"by": "http"}, "Input should be 'mark' or 'signal'"),
        ({"by": "signal", "signal": "-9"}, "expected one word that does not start with '-'"),
        ({"timeout_s": 0}, "greater than or equal to 1"),
    ],
)
def test_how_an_engine_is_asked_to_leave(drain: dict[str, Any], text: str | None) -> None:
    if text is None:
        assert Drain.model_validate(drain).by == drain.get("by", "mark")
        return
    with pytest.raises(ValidationError, match=text):
        Drain.model_validate(drain)


@pytest.mark.parametrize("second, ports", [(None, [1080]), (1081, [1080, 1081])])
def test_every_port_that_an_engine_may_take(second: int | None, ports: list[int]) -> None:
    part = wanted(soa_engine={"second_port": second}).soa_engine
    assert part
    assert part.host_ports == ports
    assert part.ports == [(1080, 1080)]
