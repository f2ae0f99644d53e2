from __future__ import annotations

import json
from typing import Any

import pytest

from roles.docker_engine.daemon_json import RELOADABLE, NotJson, change, read


@pytest.mark.parametrize(
    "text, expected",
    [(None, {}), ("", {}), (" \n", {}), ("{}", {}), ('{"debug": true}\n', {"debug": True})],
    ids=["absent", "empty", "blank", "object", "key"],
)
def test_read(text: str | None, expected: dict[str, Any]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text, why",
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"debug": true,}', "Illegal trailing comma before end of object: line 1 column 15 (char"),
        ("debug: true", "Expecting value: line 1 column 1 (char 0)"),
        ('["debug"]', 'expected an object, found ["debug"]'),
        ("null", "expected an object, found null"),
        (f'"{"x" * 99}"', 'expected an object, found "xxxxxxxxxxxxxxxxxxx'),
    ],
)
def test_what_is_no_configuration(text: str, why: str) -> None:
    for reading in (lambda: read(text), lambda: change(text, {"debug": True})):
        with pytest.raises(NotJson) as caught:
            reading()
        # Python 3.13 has a text of its own for the comma.
        if "comma" not in why:
            assert str(caught.value) == why


@pytest.mark.parametrize(
    "text, wanted, after, keys",
    [
        (None, {"debug": True}, {"debug": True}, ("debug",)),
        ('{"debug": false}', {"debug": True}, {"debug": True}, ("debug",)),
        ('{"a": 1}', {"debug": True}, {"a": 1, "debug": True}, ("debug",)),
        ('{"a": 1, "debug": true}', {"debug": None}, {"a": 1}, ("debug",)),
        (
            '{"log-opts": {"max-file": "3", "max-size": "1m"}}',
            {"log-opts": {"max-size": "9m", "max-file": None}},
            {"log-opts": {"max-size": "9m"}},
            ("log-opts",),
        ),
        (None, {"log-opts": {"a": "1", "b": None}}, {"log-opts": {"a": "1"}}, ("log-opts",)),
        ('{"dns": ["a", "b"]}', {"dns": ["c"]}, {"dns": ["c"]}, ("dns",)),
        ('{"dns": ["a"]}', {"dns": {"b": 1}}, {"dns": {"b": 1}}, ("dns",)),
        ('{"dns": {"a": 1}}', {"dns": ["b"]}, {"dns": ["b"]}, ("dns",)),
        ("{}", {"features": {}}, {"features": {}}, ("features",)),
        (None, {"b": 1, "a": 2}, {"b": 1, "a": 2}, ("a", "b")),
    ],
    ids=[
        "absent",
        "another-value",
        "beside-the-hosts-own",
        "taken-out",
        "merged-within",
        "nothing-to-take-out-within",
        "lists-are-whole",
        "an-object-for-a-list",
        "a-list-for-an-object",
        "an-empty-object",
        "several",
    ],
)
def test_a_change(
    text: str | None, wanted: dict[str, Any], after: dict[str, Any], keys: tuple[str, ...]
) -> None:
    found = change(text, wanted)
    assert found
    assert found.text == json.dumps(after, indent=4) + "\n"
    assert found.keys == keys
    assert change(found.text, wanted) is None


@pytest.mark.parametrize(
    "text, wanted",
    [
        (None, {}),
        (None, {"debug": None}),
        (None, {"log-opts": {"max-size": None}}),
        ("{}", {"debug": None}),
        ('{"debug":true,\n\n"a":1}', {"debug": True}),
        ('{"log-opts": {"a": "1", "b": "2"}}', {"log-opts": {"a": "1", "c": None}}),
        ('{"a": 1}', {}),
    ],
)
def test_no_change(text: str | None, wanted: dict[str, Any]) -> None:
    assert change(text, wanted) is None


@pytest.mark.parametrize(
    "text, wanted, restarts",
    [
        (None, {"debug": True, "live-restore": True}, False),
        (None, {"registry-mirrors": ["https://mirror.example"]}, False),
        (None, {"debug": True, "data-root": "/data"}, True),
        (None, {"log-opts": {"max-size": "9m"}}, True),
        # moby, daemon/reload.go: a key that the file does not say is left as it is.
        ('{"debug": true}', {"debug": None}, True),
        ('{"labels": ["a"]}', {"labels": []}, False),
        ('{"data-root": "/data"}', {"debug": True}, False),
    ],
    ids=["both", "mirrors", "one-of-two", "log", "taken-out", "emptied", "the-hosts-own"],
)
def test_what_an_engine_has_to_start_anew_for(
    text: str | None, wanted: dict[str, Any], restarts: bool
) -> None:
    found = change(text, wanted)
    assert found
    assert found.restarts is restarts


def test_every_key_that_is_reloaded_is_known_by_its_name_in_the_file() -> None:
    assert "live-restore" in RELOADABLE
    assert not {key for key in RELOADABLE if "_" in key or key != key.lower()}
