"""What needs a record, and which deploys a pin refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.observed import Pin
from roles.release.plan import applied, check, is_recorded, pinned, plan, wished
from roles.run.fleet import Fleet
from tests.unit.build import change, fleet, image, look_again, member, serving
from tests.unit.release.build import FIRST, SECOND, recorded, wanting

BY, AT = "ann@laptop", "2026-01-02T00:00:00Z"


def of_round(number: str, **changes: object) -> Fleet:
    engine = {"environment": {"ROUND": number}}
    apps = [member(f"app-{n}", soa_engine=engine, **changes) for n in (1, 2)]
    return fleet(*apps, "registry-1")


def bad_pin(release: str | None = FIRST) -> Pin:
    bad = of_round("bad")
    return Pin("soa_engine", wished(bad, bad["app-1"])["soa_engine"], release, BY, AT)


def test_a_bare_fleet_is_not_recorded_and_one_with_records_of_what_it_runs_is() -> None:
    assert not is_recorded(fleet("app-1", "registry-1"))
    assert not is_recorded(serving(fleet("app-1", "registry-1")))
    assert is_recorded(recorded(fleet("app-1", "registry-1")))


def test_another_wish_or_another_image_is_not_recorded() -> None:
    found = recorded(of_round("1"))
    assert not is_recorded(wanting(found, of_round("2")))
    [engine, *others] = found["app-1"].observed.images
    again = replace(engine, id=image(engine.tags[0], "again").id)
    assert not is_recorded(look_again(found, "app-1", images=(again, *others)))


def test_a_host_outside_the_limit_needs_no_record() -> None:
    found = wanting(recorded(of_round("1")), of_round("2"))
    for name in ("app-1", "app-2"):
        found = change(found, name, in_limit=False)
    assert is_recorded(found)


def test_what_is_applied_has_the_sign_of_what_is_wished() -> None:
    found = recorded(of_round("1"))
    for one in found:
        assert {role: applied(one, role) for role in one.parts} == wished(found, one)
    bare = fleet("app-1", "registry-1")
    assert applied(bare["app-1"], "soa_engine") is None
    assert applied(bare["app-1"], "sdk") is None


def test_a_record_is_no_change_where_containers_change_or_it_is_there() -> None:
    assert plan(fleet("app-1", "registry-1")) == []
    assert plan(recorded(of_round("1"))) == []
    assert plan(wanting(recorded(of_round("1")), of_round("2"))) == []


def test_a_host_that_runs_what_is_wanted_and_has_no_record_of_it_gets_one() -> None:
    """A deploy was cut off after its last container."""
    found = serving(of_round("2"))
    none = "record release: it has no record of what it runs"
    assert [str(change) for change in plan(found)] == [
        f"{name}: release: {none}" for name in ("app-1", "app-2", "registry-1")
    ]
    before = recorded(of_round("1"))["app-1"].observed.releases
    found = look_again(recorded(of_round("2"), SECOND), "app-1", releases=before)
    assert [str(change) for change in plan(found)] == [
        f"app-1: release: record release: it runs something else than {FIRST}"
    ]
    assert plan(change(found, "app-1", in_limit=False)) == []


def test_beside_hosts_that_change_the_others_get_theirs() -> None:
    """A deploy was cut off between two hosts."""
    ran, coming = recorded(of_round("1")), serving(of_round("2"))
    found = wanting(ran, of_round("2"))
    one = coming["app-1"].observed
    found = look_again(found, "app-1", containers=one.containers, images=one.images)
    assert [change.host for change in plan(found)] == ["app-1"]


def test_what_was_rolled_back_is_refused() -> None:
    found = wanting(recorded(of_round("1"), pins=[bad_pin()]), of_round("bad"))
    assert [str(problem) for problem in check(found)] == [
        f"{name}: soa_engine: release {FIRST} was rolled back by {BY} on {AT}; deploy another, or "
        "say --data unpin=true"
        for name in ("app-1", "app-2")
    ]


def test_what_was_rolled_back_on_another_host_is_refused_too() -> None:
    """A host that was drained or unreachable meanwhile has no pin of its own."""
    found = wanting(recorded(of_round("1")), of_round("bad"))
    kept = found["app-2"].observed.releases
    found = look_again(found, "app-2", releases=replace(kept, pins=(bad_pin(),)))
    found = change(found, "app-2", in_limit=False)
    assert [str(problem) for problem in check(found)] == [
        f"app-1: soa_engine: release {FIRST} was rolled back on app-2 by {BY} on {AT}; deploy "
        "another, or say --data unpin=true"
    ]
    assert pinned(found, found["app-1"]) == []


def test_what_was_rolled_back_and_never_recorded_is_refused_too() -> None:
    found = wanting(recorded(of_round("1"), pins=[bad_pin(None)]), of_round("bad"))
    assert "app-1: soa_engine: this was rolled back by" in str(check(found)[0])


@pytest.mark.parametrize("number", ["1", "mended"])
def test_anything_else_is_let_through(number: str) -> None:
    assert check(wanting(recorded(of_round("1"), pins=[bad_pin()]), of_round(number))) == []


def test_another_part_with_the_same_sign_is_let_through() -> None:
    other = replace(bad_pin(), part="proxy")
    assert check(wanting(recorded(of_round("1"), pins=[other]), of_round("bad"))) == []


def test_it_is_let_through_where_somebody_insists() -> None:
    found = wanting(recorded(of_round("1"), pins=[bad_pin()]), of_round("bad", unpin=True))
    assert check(found) == []
    assert pinned(found, found["app-1"]) == [bad_pin()]


def test_it_is_let_through_where_it_runs_already_or_the_limit_leaves_the_host_out() -> None:
    assert check(recorded(of_round("bad"), pins=[bad_pin()])) == []
    found = wanting(recorded(of_round("1"), pins=[bad_pin()]), of_round("bad"))
    assert [p.host for p in check(change(found, "app-2", in_limit=False))] == ["app-1"]
