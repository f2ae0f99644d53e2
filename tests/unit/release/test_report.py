from __future__ import annotations

from io import StringIO

from rich.console import Console

from roles.observed import Pin, Release, Releases
from roles.release.report import table
from tests.unit.release.build import FIRST, SECOND
from tests.unit.release.test_plan import AT, BY


def test_each_release_has_a_line_newest_first() -> None:
    both = {FIRST: Release(FIRST, "ann", {}), SECOND: Release(SECOND, "bob", {})}
    pin = Pin("proxy", "abc", SECOND, BY, AT)
    found = {
        "app-1": Releases(both, FIRST, (pin,)),
        "app-2": Releases(both, SECOND),
        "app-3": Releases({FIRST: both[FIRST]}, FIRST),
    }
    printed = StringIO()
    Console(width=100, file=printed).print(table(found))
    lines = [line.split("│") for line in printed.getvalue().splitlines() if "│" in line]
    assert [[cell.strip() for cell in line[1:-1]] for line in lines] == [
        [SECOND, "bob", "app-1, app-2", "app-2", "app-1"],
        [FIRST, "ann", "all", "app-1, app-3", ""],
    ]
