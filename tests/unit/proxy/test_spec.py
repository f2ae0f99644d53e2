"""What may be said of a proxy, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.build import wanted

DATA = {"host": "/apps/data/proxy", "container": "/data"}
STATUS = {"port": 2081}


@pytest.mark.parametrize(
    "said, is_right",
    [
        ({"network": "host", "data": DATA, "status": STATUS}, True),
        ({"network": "bridge", "data": DATA, "status": STATUS}, False),
        ({"network": "host", "data": None, "status": STATUS}, False),
        ({"network": "host", "data": DATA, "status": None}, False),
    ],
    ids=["all", "bridge", "no data", "no status"],
)
def test_listeners_are_handed_over_only_where_that_can_be_seen(
    said: dict[str, Any], is_right: bool
) -> None:
    assert wanted(proxy=said).proxy
    if is_right:
        assert wanted(proxy={**said, "handover": True}).proxy
        return
    with pytest.raises(ValidationError, match="'handover' needs network 'host', and a 'data'"):
        wanted(proxy={**said, "handover": True})
