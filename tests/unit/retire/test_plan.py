from __future__ import annotations

from dataclasses import replace

import pytest

from roles.observed import Drained, Path, Release, Releases
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.retire import plan
from roles.run.fleet import Fleet
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine
from tests.unit.build import change, fleet, foreign, look_again, member, serving


def served(*in_limit: str) -> Fleet:
    """Two hosts and a registry that serve; of them those in the limit leave."""
    names = ("app-1", "app-2", "registry-1")
    found = serving(fleet(*(member(name, in_limit=name in in_limit) for name in names)))
    return found.without_limited()


def test_who_leaves_runs_nothing_and_the_others_go_on() -> None:
    found = served("app-2")
    assert found["app-2"].parts == {}
    assert [m.name for m in found.running("soa_engine")] == ["app-1"]
    for role in (registry, soa_engine, proxy, sdk):
        assert role.plan(found) == []


def test_all_that_goes_is_told_and_nothing_of_others() -> None:
    found = served("app-2")
    own = found["app-2"].observed
    found = look_again(found, "app-2", containers=(*own.containers, foreign("nginx")))
    told = [
        (each.host, each.action.partition(":")[0], each.interrupts) for each in plan.plan(found)
    ]
    assert told == [
        ("app-2", "remove container engine", True),
        ("app-2", "remove container proxy", True),
        ("app-2", "remove image engine", False),
        ("app-2", "remove image proxy", False),
        ("app-2", "leave the fleet", False),
    ]


def test_data_goes_only_where_that_is_wished() -> None:
    found = served("app-2")
    [path, *_] = [mount.host for mount in found["app-1"].parts["proxy"].mounts]
    found = look_again(found, "app-2", paths={path: Path("directory", "10080:10080", "750")})
    assert not any(path in each.action for each in plan.plan(found))
    wished = found["app-2"].wanted.model_copy(update={"purge": True})
    told = plan.plan(change(found, "app-2", wanted=wished))
    assert [each.action for each in told if each.why == plan.PURGE] == [f"remove {path}"]


def test_a_host_that_is_empty_only_leaves() -> None:
    found = look_again(served("app-2"), "app-2", containers=(), images=(), releases=Releases())
    assert [each.action for each in plan.plan(found)] == ["leave the fleet"]


@pytest.mark.parametrize("names", [(), ("app-1", "app-2", "registry-1")])
def test_somebody_leaves_and_somebody_stays(names: tuple[str, ...]) -> None:
    [problem] = plan.check(served(*names))
    assert "add --limit HOST" in problem.text


def test_the_last_of_a_group_stays() -> None:
    assert plan.check(served("app-2")) == []
    texts = [problem.text for problem in plan.check(served("app-1", "app-2"))]
    assert [text.split("'")[1] for text in texts] == ["engine", "proxy"]
    of_registry, of_ensemble = plan.check(served("registry-1"))
    assert "no host of the group 'registry' in service" in of_registry.text
    assert "would serve nobody" in of_ensemble.text


def test_who_may_be_called_still_does_not_leave() -> None:
    away = Drained("ann@laptop", 1, 9_999_999_999, "new disk", is_leaving=True)
    [problem] = plan.check(change(served("app-2"), "app-2", absent=away))
    assert str(problem).startswith("app-2: drain: it may be called still")


def test_one_that_is_drained_does_not_stay_in_service() -> None:
    away = Drained("ann@laptop", 1, 9_999_999_999, "new disk")
    problems = plan.check(change(served("app-2"), "app-1", absent=away))
    assert [problem.text.split("'")[1] for problem in problems] == ["engine", "proxy"]


def test_what_an_engine_that_is_silent_runs_is_not_left_behind() -> None:
    kept = Releases({"2026-01-31T10:15:30Z": Release("2026-01-31T10:15:30Z", "ann", {})})
    silent = {"docker_version": None, "docker_error": "no answer", "containers": ()}
    records = replace(kept, current_name="2026-01-31T10:15:30Z")
    [problem] = plan.check(look_again(served("app-2"), "app-2", releases=records, **silent))
    assert problem.host == "app-2" and "start it" in problem.text
