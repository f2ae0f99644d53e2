"""docs/verify.md tells of every check, and of no other; its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path as File

import pytest

from roles.host_check import versions
from roles.host_check.plan import CHECKS
from roles.host_check.texts import TEXTS

PAGE = (File(__file__).parents[3] / "docs" / "verify.md").read_text()
ROWS = {tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in PAGE.splitlines()}


def section(name: str) -> str:
    return PAGE.partition(f"### `{name}`\n")[2].partition("\n#")[0]


def test_every_check_is_in_the_page_and_every_one_in_the_page_is_a_check() -> None:
    assert re.findall(r"^### `(.*)`$", PAGE, re.MULTILINE) == list(CHECKS) == list(TEXTS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_is_explained(name: str) -> None:
    for label in ("Looks at", "Verdict", "Why", "Mend"):
        assert f"- **{label}**: " in section(name)


@pytest.mark.parametrize("name", CHECKS)
def test_what_helps_is_said_in_the_same_words(name: str) -> None:
    words = " ".join(section(name).split()).lower()
    assert TEXTS[name].why.lower() in words
    assert TEXTS[name].mend.lower() in words


def test_the_tables_are_the_codes() -> None:
    kernels = {(r.kernel, r.source) for r in versions.KERNEL_RULES}
    assert {(row[1], row[5]) for row in ROWS if len(row) == 6} > kernels
    assert {(", ".join(r.systems), r.release, r.newest, r.source) for r in versions.PACKAGED} < ROWS
    assert {(", ".join(r.systems), r.release, r.end, r.source) for r in versions.ENDS} < ROWS
    machines = {(", ".join(r.machines), r.newest or "none") for r in versions.ARCHITECTURES}
    assert {(row[0], row[2]) for row in ROWS if len(row) == 4} > machines
    assert versions.NEWEST in PAGE


@pytest.mark.parametrize(
    "rows",
    [
        versions.KERNEL_RULES,
        versions.CGROUP_RULES,
        versions.ARCHITECTURES,
        versions.PACKAGED,
        versions.REMEDIES,
        versions.ENDS,
    ],
    ids=["kernels", "cgroups", "architectures", "packaged", "remedies", "ends"],
)
def test_every_row_names_its_source(rows: tuple[versions.Packaged, ...]) -> None:
    assert all(len(row.source) > 8 for row in rows)
