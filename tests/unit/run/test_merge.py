from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pyinfra.api import Host, Inventory

from roles.run.merge import DataError, merged_data

LAYERS = ["all", "first group", "second group", "host", "--data"]


def host(layers: list[dict[str, Any]]) -> Host:
    """A host of two groups; `layers` in the order of LAYERS."""
    everywhere, first, second, own, given = layers
    inventory = Inventory(
        (["app-1", ("app-2", {})], everywhere),
        override_data=given,
        first=([("app-1", own)], first),
        second=(["app-1"], second),
        other=(["app-2"], {"from": "another group"}),
    )
    return inventory.get_host("app-1")


@pytest.mark.parametrize("last", range(len(LAYERS)), ids=LAYERS)
def test_the_last_layer_that_says_a_thing_wins(last: int) -> None:
    layers: list[dict[str, Any]] = [
        {"from": name, "deep": {"from": name}} if index <= last else {}
        for index, name in enumerate(LAYERS)
    ]
    assert merged_data(host(layers)) == {"from": LAYERS[last], "deep": {"from": LAYERS[last]}}


def test_what_layers_say_of_a_dict_adds_up() -> None:
    layers = [{"part": {"deep": {name: index}}} for index, name in enumerate(LAYERS)]
    everything = {name: index for index, name in enumerate(LAYERS)}
    assert merged_data(host(layers)) == {"part": {"deep": everything}}


@pytest.mark.parametrize(
    "below, above, merged",
    [
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
    ids=["none-over-dict", "dict-over-none", "lists-are-replaced", "empty-dict", "deep"],
)
def test_what_wins(below: dict[str, Any], above: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merged_data(host([below, {}, {}, above, {}])) == merged


def test_nothing_that_was_given_is_changed() -> None:
    layers: list[dict[str, Any]] = [
        {"part": {"deep": {name: 1}, "list": [name]}} for name in LAYERS
    ]
    before = deepcopy(layers)
    merged = merged_data(host(layers))
    merged["part"]["deep"]["more"] = 1
    merged["part"]["list"].append("more")
    assert layers == before


def test_a_host_has_only_what_its_own_groups_say() -> None:
    inventory = host([{}, {"a": 1}, {"b": 2}, {"c": 3}, {}]).inventory
    assert merged_data(inventory.get_host("app-2")) == {"from": "another group"}


@pytest.mark.parametrize(
    "below, given, merged",
    [
        ({"a": {"b": 1, "c": 2}}, {"a.b": 9}, {"a": {"b": 9, "c": 2}}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": 9}, {"a": {"b": {"c": 9}}}),
        ({"a": {"b": {"c": 1}}}, {"a.b": 9}, {"a": {"b": 9}}),
        ({}, {"a.b": 9}, {"a": {"b": 9}}),
        ({"a": {}}, {"a.b.c": 9}, {"a": {"b": {"c": 9}}}),
        ({"a": {"b": 1, "c": 2}}, {"a.b": 8, "a.c": 9}, {"a": {"b": 8, "c": 9}}),
        ({"a": 1}, {"a": {"b": 2}, "a.c": 9}, {"a": {"b": 2, "c": 9}}),
    ],
    ids=["one", "deep", "over-a-dict", "absent", "absent-deep", "two", "after-the-whole"],
)
def test_a_key_with_dots_on_the_command_line(
    below: dict[str, Any], given: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merged_data(host([below, {}, {}, {}, given])) == merged


@pytest.mark.parametrize("layer", range(4), ids=LAYERS[:4])
def test_elsewhere_a_key_with_dots_is_a_key(layer: int) -> None:
    layers: list[dict[str, Any]] = [{}, {}, {}, {}, {}]
    layers[layer] = {"a.b": 1}
    assert merged_data(host(layers)) == {"a.b": 1}


@pytest.mark.parametrize(
    "below, key, text",
    [
        ({"a": 1}, "a.b", "expected a dict in a, found int; set that as a whole"),
        ({"a": None}, "a.b", "expected a dict in a, found NoneType; set that as a whole"),
        ({"a": {"b": "x"}}, "a.b.c", "expected a dict in a.b, found str; set that as a whole"),
    ],
    ids=["number", "none", "deep"],
)
def test_a_key_with_dots_into_what_is_no_dict(below: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(DataError) as caught:
        merged_data(host([below, {}, {}, {}, {key: 1}]))
    assert (caught.value.key, caught.value.text) == (key, text)
    assert str(caught.value) == f"--data {key}: {text}"
