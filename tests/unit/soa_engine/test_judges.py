"""What a proxy's list means for an engine that is to be taken away, or has come back."""

from __future__ import annotations

import pytest

from roles.proxy.status import ListedEngine, Listing
from roles.soa_engine.judges import has_let_go, has_other_than, lists_up

UP = ListedEngine("up", registered=True, in_flight=0)
DOWN = ListedEngine("down", registered=True, in_flight=0)
STALE = ListedEngine("up", registered=False, in_flight=0)
LEFT = ListedEngine("draining", registered=False, in_flight=0)
BUSY = ListedEngine("draining", registered=False, in_flight=2)


@pytest.mark.parametrize(
    "listing, safe",
    [
        ({"a": UP, "b": UP}, True),
        ({"a": UP}, False),
        ({"a": UP, "b": DOWN}, False),
        ({"a": UP, "b": STALE}, False),
        ({"a": DOWN, "b": UP, "c": DOWN}, True),
        ({}, False),
        ({"x": DOWN}, True),
    ],
    ids=["another", "alone", "the other down", "the other left", "one of two", "none", "strange"],
)
def test_an_engine_goes_only_where_another_is_up(
    listing: dict[str, ListedEngine], safe: bool
) -> None:
    assert (has_other_than(frozenset({"a"}))(Listing(listing)) is None) is safe


@pytest.mark.parametrize(
    "listing, text",
    [
        ({"b": UP}, None),
        ({"a": STALE, "b": UP}, "lists a as up, 0 requests in flight"),
        ({"a": LEFT, "b": UP}, None),
        ({"a": UP}, "lists a as up, 0 requests in flight"),
        ({"a": BUSY}, "lists a as draining, 2 requests in flight"),
    ],
    ids=["gone", "kept, though unregistered", "drained", "registered", "in flight"],
)
def test_an_engine_has_left_when_nothing_is_in_flight_on_it(
    listing: dict[str, ListedEngine], text: str | None
) -> None:
    assert has_let_go("a")(Listing(listing)) == text


@pytest.mark.parametrize(
    "listing, text",
    [
        ({"a": UP}, None),
        ({"a": DOWN}, "lists a as down"),
        ({"b": UP}, "lists a as unknown"),
    ],
    ids=["up", "down", "unknown"],
)
def test_an_engine_is_back_when_it_is_up(
    listing: dict[str, ListedEngine], text: str | None
) -> None:
    assert lists_up("a")(Listing(listing)) == text
