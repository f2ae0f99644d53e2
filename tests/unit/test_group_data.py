"""The repository's own group_data: what a user starts from."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path as File
from typing import Any

import pytest
from pyinfra.api import Inventory

from roles.run import conflicts
from roles.run.fleet import Fleet
from roles.run.wanted import ROLE_OF_GROUP, Wanted, validated
from tests.unit.build import change, fleet, member

ROOT = File(__file__).parents[2]
FILES = sorted((ROOT / "group_data").glob("*.py"))
GROUPS = tuple(ROLE_OF_GROUP)


def literals(name: str) -> dict[str, Any]:
    """The values of a file; anything but plain literals is an error."""
    tree = ast.parse((ROOT / "group_data" / f"{name}.py").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        assert isinstance(node, ast.Assign), f"line {node.lineno} is no plain assignment"
        (target,) = node.targets
        assert isinstance(target, ast.Name)
        found[target.id] = ast.literal_eval(node.value)
    return found


def wanted(*groups: str) -> Wanted:
    """What is wanted of a host of these groups."""
    inventory = Inventory(
        (["app-1"], literals("all")), **{g: (["app-1"], literals(g)) for g in groups}
    )
    found, problems = validated(inventory.get_host("app-1"))
    assert problems == []
    assert found
    return found


def test_there_is_a_file_for_every_group_and_no_other() -> None:
    assert {file.stem for file in FILES} == {"all", *GROUPS}


@pytest.mark.parametrize(
    "groups",
    [groups for count in range(5) for groups in combinations(GROUPS, count)],
    ids=lambda groups: "+".join(groups) or "none",
)
def test_the_data_of_any_groups_is_valid_and_without_conflicts(groups: tuple[str, ...]) -> None:
    found = wanted(*groups)
    assert {r for r in ROLE_OF_GROUP.values() if found.part(r)} == {
        ROLE_OF_GROUP[group] for group in groups
    }
    everything: Fleet = fleet(member("app-1", groups=groups or ("none",)))
    assert conflicts.check(change(everything, "app-1", wanted=found)) == []


@pytest.mark.parametrize("group", GROUPS)
def test_every_parts_context_exists(group: str) -> None:
    part = wanted(group).part(ROLE_OF_GROUP[group])
    assert part
    dockerfile = ROOT / part.image.context / "Dockerfile"
    assert dockerfile.is_file()
    assert "ARG BASE_IMAGE" in dockerfile.read_text()


@pytest.mark.parametrize("group", GROUPS)
def test_every_part_runs_without_a_right_to_spare(group: str) -> None:
    part = wanted(group).part(ROLE_OF_GROUP[group])
    assert part
    assert part.user
    assert not part.user.startswith("0:")
    assert part.memory_mb
    assert part.pids


@pytest.mark.parametrize("group", GROUPS)
def test_every_part_has_a_log_directory_of_its_own(group: str) -> None:
    part = wanted(group).part(ROLE_OF_GROUP[group])
    assert part
    assert part.logs.host == f"/apps/logs/{part.container}"
    assert part.logs.container == f"/usr/local/{part.container}/logs"


def test_the_ports_of_the_classic_contract() -> None:
    found = wanted("engine", "proxy")
    assert found.soa_engine
    assert found.proxy
    assert (found.soa_engine.port, found.proxy.port) == (1080, 2080)


def test_our_own_parts_leave_nothing_unprovable() -> None:
    found = wanted("engine", "proxy")
    assert found.soa_engine
    assert found.proxy
    assert found.soa_engine.registration
    assert found.soa_engine.drain
    assert found.soa_engine.call
    assert found.proxy.registration
    assert found.proxy.status
    assert found.proxy.handover


def test_an_image_has_less_time_to_end_than_docker_gives_it() -> None:
    engine = wanted("engine").soa_engine
    assert engine
    assert int(engine.environment["STOP_GRACE_S"]) < engine.stop_timeout_s
