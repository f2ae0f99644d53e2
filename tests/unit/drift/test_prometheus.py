from __future__ import annotations

import re
from pathlib import Path as File

import pytest
from prometheus_client.parser import text_string_to_metric_families

from roles.drift.model import HostResult, Report
from roles.drift.prometheus import prometheus
from tests.unit.drift.build import AT, found, host, report

PAGE = (File(__file__).parents[3] / "docs" / "drift.md").read_text()
INVENTORY = "inventories/prod.py"
FULL = report(
    found(),
    found(path="proxy.image"),
    found(path="unit", role="docker_engine"),
    found(None, "/osp/old", role="registry"),
    found("app-2", "stray", kind="unmanaged"),
    found("app-2", "ours", kind="unmanaged", ignored="known"),
    found("app-2", "x", ignored="known"),
    found("app-3", "unit"),
    hosts=(host("app-3", "maintenance", "ann"), host("app-4", "not checked", "timed out")),
)


def samples(its: Report) -> dict[tuple[str, ...], float]:
    """Values by the metric's name without its beginning, and its labels' values but inventory."""
    families = list(text_string_to_metric_families(prometheus(its)))
    assert all(family.type == "gauge" and family.documentation for family in families)
    read = [sample for family in families for sample in family.samples]
    assert {sample.labels.pop("inventory") for sample in read} == {its.inventory}
    values = {
        (s.name.removeprefix("dockyard_drift_"), *(s.labels[k] for k in sorted(s.labels))): s.value
        for s in read
    }
    assert len(values) == len(read), "a series stands twice: the collector takes none of the file"
    return values


def test_every_metric() -> None:
    assert samples(FULL) == {
        ("findings", "app-1", ""): 0,
        ("findings", "app-2", ""): 0,
        ("findings", "app-3", ""): 0,
        ("findings", "app-1", "proxy"): 2,
        ("findings", "app-1", "docker_engine"): 1,
        ("findings", "", "registry"): 1,
        ("unmanaged", "app-1"): 0,
        ("unmanaged", "app-2"): 1,
        ("unmanaged", "app-3"): 0,
        ("host_checked", "app-1"): 1,
        ("host_checked", "app-2"): 1,
        ("host_checked", "app-3"): 1,
        ("host_checked", "app-4"): 0,
        ("unreachable",): 1,
        ("last_run_timestamp_seconds",): AT.timestamp(),
        ("duration_seconds",): 2.5,
        ("exit_code",): 2,
    }


def test_the_text() -> None:
    text = prometheus(FULL)
    assert text.endswith("\n")
    for line in (
        f'dockyard_drift_findings{{inventory="{INVENTORY}",host="app-1",role="proxy"}} 2',
        f'dockyard_drift_last_run_timestamp_seconds{{inventory="{INVENTORY}"}} 1772366400',
        f'dockyard_drift_duration_seconds{{inventory="{INVENTORY}"}} 2.5',
        "# TYPE dockyard_drift_exit_code gauge",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("name", ['"', "\\", "\\n", "a\nb", 'x"} 1\nforged 2', "ü\x1b\r{},="])
def test_a_label_says_what_the_host_is_called(name: str) -> None:
    named = samples(report(found(name), hosts=(HostResult(name, (), "drift"),), inventory=name))
    assert named["findings", name, "proxy"] == 1
    assert named["host_checked", name] == 1


def test_what_is_found_of_a_host_that_was_not_checked_is_told() -> None:
    its = samples(report(found("app-3", "node"), hosts=(host("app-3", "not checked"),)))
    assert its["findings", "app-3", "proxy"] == 1
    assert ("findings", "app-3", "") not in its


def test_the_page_tells_every_metric_and_no_other() -> None:
    told = re.findall(r"^\| `(dockyard_drift_\w+)`", PAGE, re.MULTILINE)
    assert told == [f"dockyard_drift_{name}" for name in dict.fromkeys(k[0] for k in samples(FULL))]
