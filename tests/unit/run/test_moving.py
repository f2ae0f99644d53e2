"""Whom a new server of the registry concerns, and that nothing else is changed on those hosts."""

from __future__ import annotations

from dataclasses import replace

from roles.container.plan import ContainerChange
from roles.docker_engine import plan as docker_engine
from roles.observed import Drained
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.run.changes import Change
from roles.run.fleet import Fleet
from roles.run.moving import beyond, widened
from roles.run.wanted import Wanted
from roles.soa_engine import plan as soa_engine
from tests.unit.build import change, fleet, image, look_again, serving

RUNNING = serving(fleet("registry-1", "app-1", "app-2", "sdk-1"))
NEW = ("registry-2", "app-3")


def limited(found: Fleet, *names: str) -> Fleet:
    return replace(found, members=tuple(replace(m, in_limit=m.name in names) for m in found))


GROWN = limited(fleet(*RUNNING.members, *NEW), *NEW)


def changes(found: Fleet) -> list[Change]:
    roles = (docker_engine, registry, soa_engine, proxy)
    return [each for role in roles for each in role.plan(found)]


def test_all_that_were_told_other_addresses_are_in_the_limit() -> None:
    found, told = widened(GROWN)
    assert told == {"app-1", "app-2", "sdk-1"}
    assert [m.name for m in found if m.in_limit] == ["app-1", "app-2", "sdk-1", *NEW]
    assert registry.check(found) == []
    assert registry.check(GROWN) != []


def test_nobody_is_touched_for_a_host_without_a_registry() -> None:
    found = limited(fleet(*RUNNING.members, "app-3"), "app-3")
    assert widened(found) == (found, frozenset())
    assert {c.host for c in changes(found)} == {"app-3"}


def test_who_is_drained_or_runs_nothing_yet_is_not_told() -> None:
    away = Drained.of({"by": "ann", "since": 1, "until": 9_999_999_999, "reason": "r", "host": "x"})
    found = change(GROWN, "app-1", absent=away)
    found = look_again(found, "app-2", containers=())
    assert widened(found)[1] == {"sdk-1"}


def test_a_run_that_was_cut_off_tells_the_rest() -> None:
    """registry-2 is a member by now, and app-1 has been told."""
    found = serving(fleet(*RUNNING.members, "registry-2"))
    old = {name: RUNNING[name].observed for name in ("app-2", "sdk-1")}
    for name, observed in old.items():
        found = change(found, name, observed=observed)
    assert widened(limited(found, "registry-2"))[1] == {"app-2", "sdk-1"}


def test_that_alone_is_changed_there() -> None:
    found, told = widened(GROWN)
    planned = changes(found)
    there = [each for each in planned if each.host in told]
    assert {each.host for each in there} == {"app-1", "app-2"}
    assert all(isinstance(each, ContainerChange) and each.interrupts for each in there)
    assert beyond(found, told, planned) == []


def test_what_else_differs_there_is_refused() -> None:
    found, told = widened(GROWN)
    others = look_again(found, "app-1", images=(image("engine", built="again"),))
    others = change(others, "app-2", wanted=replace_memory(others["app-2"].wanted))
    engine = Change("app-1", "docker_engine", "restart", "daemon.json: debug")
    new = Change("app-3", "docker_engine", "install", "absent")
    planned = [engine, new, *changes(others)]
    problems = [str(problem) for problem in beyond(others, told, planned)]
    assert problems[0] == (
        "app-1: docker_engine: is to be told the registry's new addresses alone, and more differs: "
        "restart: daemon.json: debug; deploy that first: deploy/soa.py --limit app-1, with the "
        "group `registry` as it was"
    )
    assert len(problems) == 2
    assert "memory_mb: none -> 99" in problems[1]


def replace_memory(wanted: Wanted) -> Wanted:
    assert wanted.soa_engine
    engine = wanted.soa_engine.model_copy(update={"memory_mb": 99})
    return wanted.model_copy(update={"soa_engine": engine})
