from __future__ import annotations

import json
import re
from pathlib import Path as File
from typing import Any, get_args

import pytest

from roles.drift.document import Spoilt, as_text, document, finding, read_document
from roles.drift.model import Kind
from roles.drift.news import Change, Known, news, told
from tests.unit.drift.build import found, host, report

FULL = report(
    found(interrupts=True),
    found(None, "/osp/old", kind="foreign"),
    found("app-2", "x", kind="unmanaged"),
    found("app-2", "y", ignored="known"),
    hosts=(host("app-3", "not checked", "timed out"),),
    notes=("A note.",),
)


def test_the_document() -> None:
    its = json.loads(as_text(document(FULL)))
    findings = its.pop("findings")
    assert its == {
        "format": 1,
        "inventory": "inventories/prod.py",
        "made_at": "2026-03-01T12:00:00+00:00",
        "duration_s": 2.5,
        "exit_code": 2,
        "hosts": [
            {"name": "app-1", "groups": ["engine"], "state": "drift", "why": "", "drift": 1},
            {"name": "app-2", "groups": ["engine"], "state": "in sync", "why": "", "drift": 0},
            {
                "name": "app-3",
                "groups": ["engine"],
                "state": "not checked",
                "why": "timed out",
                "drift": 0,
            },
        ],
        "notes": ["A note."],
        "counts": {
            "hosts": 3,
            "in_sync": 1,
            "with_drift": 1,
            "in_maintenance": 0,
            "not_checked": 1,
            "left_out": 0,
            "drift": 2,
            "unmanaged": 1,
            "ignored": 1,
        },
    }
    assert len(findings) == 4
    assert findings[0] == {
        "host": "app-1",
        "role": "proxy",
        "path": "proxy.memory_mb",
        "wanted": "512",
        "found": "256",
        "kind": "by hand",
        "interrupts": True,
        "ignored": None,
    }


def test_a_document_is_read_back_as_it_was() -> None:
    assert read_document(as_text(document(FULL))) == FULL


def test_signs_that_json_or_a_terminal_can_not_take() -> None:
    text = as_text(document(report(found(path="a\udc80\x1b\x9b2Jü"))))
    assert text.isascii()
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert read_document(text).findings[0].path == "a?\x1b\x9b2Jü"


def test_new_keys_are_passed_by() -> None:
    content = document(FULL)
    content["more"] = content["hosts"][0]["more"] = content["findings"][0]["more"] = 1
    assert read_document(as_text(content)) == FULL


def changed(**changes: Any) -> str:
    return as_text(document(FULL) | changes)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "expected JSON"),
        (as_text(document(FULL))[:-30], "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "format 1, found None"),
        (changed(format=2), "format 1, found 2"),
        (changed(made_at="yesterday"), "made_at: "),
        (changed(made_at="2026-03-01T12:00:00"), "made_at: expected a time with its offset"),
        (changed(hosts=[{"name": "app-1"}]), "hosts.0.groups: "),
        (changed(findings=[finding(found()) | {"kind": "odd"}]), "findings.0.kind"),
        (changed(findings=[finding(found()) | {"interrupts": "no"}]), "findings.0.interrupts: "),
        (changed(notes="x"), "notes: "),
    ],
)
def test_a_spoilt_document_is_an_error_with_words(text: str, words: str) -> None:
    with pytest.raises(Spoilt, match=re.escape(words)):
        read_document(text)


PAGE = (File(__file__).parents[3] / "docs" / "drift.md").read_text()


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_the_page_tells_every_key_and_every_kind() -> None:
    whole = told(news(Known(), FULL), FULL)
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"(\w+)`", row)}
    assert keys(whole) <= names
    said = set(re.findall(r"`([^`]+)`", PAGE.replace("\n", " ")))
    literals = [value for member in get_args(Kind) for value in (get_args(member) or [member])]
    assert {*literals, *get_args(Change)} <= said
