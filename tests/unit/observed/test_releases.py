from __future__ import annotations

import json

import pytest

from roles.observed import Pin, Releases
from roles.observed.releases import releases

HEAD = {
    "version": 1,
    "name": "2026-01-02T00:00:00Z",
    "by": "ann@laptop|x",
    "parts": {"proxy": {"digest": "abc", "image": "p:1", "image_id": "sha256:1"}},
}
PIN = Pin("proxy", "abc", None, "ann@laptop", "2026-01-02T00:00:00Z")


def line(**changes: object) -> str:
    return f"record|{json.dumps({**HEAD, **changes})[:-1]},"


def test_a_host_without_records_has_no_releases() -> None:
    assert releases([]) == Releases()
    assert releases([]).current is None


def test_records_are_read_oldest_first_with_the_current_one() -> None:
    found = releases([line(), line(name="2026-01-01T00:00:00Z"), "current|2026-01-02T00:00:00Z"])
    assert list(found.kept) == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
    assert found.current
    assert found.current.by == "ann@laptop|x"
    assert found.current.parts["proxy"].image_id == "sha256:1"


@pytest.mark.parametrize("spoilt", ["record|", "record|{", "record|[1,", line(parts=[])])
def test_a_spoilt_record_tells_none(spoilt: str) -> None:
    found = releases([spoilt, line(), "current|2026-01-03T00:00:00Z"])
    assert list(found.kept) == ["2026-01-02T00:00:00Z"]
    assert found.current is None


def test_pins_are_read() -> None:
    told = {"part": "proxy", "digest": "abc", "release": None, "by": PIN.by, "at": PIN.at}
    assert releases([f"pins|{json.dumps([told])}"]).pins == (PIN,)


@pytest.mark.parametrize("spoilt", ["", "{", '["a"]', '[{"part": "proxy"}]'])
def test_spoilt_pins_are_an_error_that_names_the_file(spoilt: str) -> None:
    with pytest.raises(ValueError, match=r"/var/lib/dockyard/pin\.json is spoilt"):
        releases([f"pins|{spoilt}"])
