from __future__ import annotations

import pytest

from roles.docker_engine.versions import is_older, matches, numbers, plain, without_epoch

DEB, RPM, OWN = "5:26.1.5-1~debian.12~bookworm", "3:26.1.5-1.el9", "26.1.5+dfsg1-9+b9"


@pytest.mark.parametrize("version", [DEB, RPM, OWN, "26.1.5", "26.1.5~rc1", "26.1.5-0ubuntu1"])
def test_plain(version: str) -> None:
    assert plain(version) == "26.1.5"


@pytest.mark.parametrize(
    "version, expected",
    [(DEB, "26.1.5-1~debian.12~bookworm"), (RPM, "26.1.5-1.el9"), (OWN, OWN), ("", "")],
)
def test_without_epoch(version: str, expected: str) -> None:
    assert without_epoch(version) == expected


@pytest.mark.parametrize(
    "wanted, version, expected",
    [
        ("26.1.5", DEB, True),
        ("26.1.5", OWN, True),
        (DEB, DEB, True),
        ("26.1.5-1~debian.12~bookworm", DEB, True),
        ("26.1.5-1.el9", RPM, True),
        ("26.1", DEB, False),
        ("26.1.50", DEB, False),
        ("26.1.5-2", DEB, False),
        ("4:26.1.5-1.el9", RPM, False),
        ("26.1.5-1", OWN, False),
    ],
)
def test_matches(wanted: str, version: str, expected: bool) -> None:
    assert matches(wanted, version) is expected


@pytest.mark.parametrize(
    "version, than, expected",
    [
        ("26.1.4", DEB, True),
        ("9.0.0", "10.0.0", True),
        ("1:26.1.4-1", "26.1.5", True),
        (DEB, "26.1.4", False),
        (DEB, OWN, False),
        ("26.1.5-1", "26.1.5-2", False),
        ("27.0.1", DEB, False),
    ],
)
def test_is_older(version: str, than: str, expected: bool) -> None:
    assert is_older(version, than) is expected


@pytest.mark.parametrize(
    "version, expected",
    [
        (DEB, (26, 1, 5)),
        (OWN, (26, 1, 5)),
        (RPM, (26, 1, 5)),
        ("20.10.24+dfsg1-1+deb12u1+b6", (20, 10, 24)),
        ("17.03.2~ce-0~ubuntu-xenial", (17, 3, 2)),
        ("1.7.1-1.el6", (1, 7, 1)),
        ("29", (29,)),
        ("latest", ()),
        ("", ()),
    ],
)
def test_numbers(version: str, expected: tuple[int, ...]) -> None:
    assert numbers(version) == expected
