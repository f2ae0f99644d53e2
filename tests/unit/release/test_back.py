"""To which release hosts go back, what forbids it, and what is pinned then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.container.plan import container_changes
from roles.container.wish import wish_digest
from roles.observed import Drained, Pin, ReleasedPart
from roles.release.back import RolledAway, check, left_behind, pins_after, plan, rolled_away, target
from roles.release.plan import SPECIFY, applied, wished
from roles.release.record import record
from roles.release.store import Kept
from roles.run.fleet import Fleet
from roles.run.problems import Refused
from tests.unit.build import change, fleet, image, look_again, member, running, wanted
from tests.unit.release.build import FIRST, SECOND, THIRD, going_to, recorded
from tests.unit.release.test_plan import AT, BY, of_round

ALL = (FIRST, SECOND, THIRD)


def kept(*names: str, current: str | None = THIRD, rolled_back: str | None = None) -> Kept:
    pins = (Pin("proxy", "abc", rolled_back, BY, AT),) if rolled_back else ()
    return Kept(current, {}, dict.fromkeys(names, ""), pins)


@pytest.mark.parametrize(
    ("its", "asked", "name"),
    [
        (kept(*ALL), None, SECOND),
        (kept(*ALL), FIRST, FIRST),
        (kept(*ALL), THIRD, THIRD),
        (kept(*ALL, current=SECOND, rolled_back=THIRD), None, FIRST),
        (kept(*ALL, current=SECOND, rolled_back=THIRD), THIRD, THIRD),
        (kept(*ALL, rolled_back=SECOND), None, FIRST),
    ],
    ids=["before", "named", "the-current", "again", "forth", "past-what-was-rolled-back"],
)
def test_the_target(its: Kept, asked: str | None, name: str) -> None:
    assert target({"app-1": its, "app-2": its}, asked, {}) == name


def signed(*names: str, current: str = THIRD, pins: tuple[Pin, ...] = ()) -> Kept:
    """The records of releases whose engine has the release's name for its sign."""
    records = {
        name: record(name, BY, {"soa_engine": ReleasedPart(name, "engine", "sha256:1")}, wanted())
        for name in names
    }
    return Kept(current, records, {}, pins)


@pytest.mark.parametrize(
    ("its", "runs", "name"),
    [
        (signed(*ALL), (THIRD, THIRD), SECOND),
        (signed(*ALL), (THIRD, "of-a-deploy-that-was-cut-off"), THIRD),
        (signed(*ALL), ("of-a-deploy", "of-a-deploy"), THIRD),
        (signed(*ALL), (SECOND, THIRD), SECOND),
        (signed(*ALL), (FIRST, THIRD), THIRD),
        (signed(THIRD), ("of-a-deploy", THIRD), THIRD),
    ],
    ids=[
        "as-recorded",
        "cut-off",
        "not-recorded",
        "a-rollback-was-cut-off",
        "of-long-ago",
        "none-before",
    ],
)
def test_where_a_host_runs_what_no_release_has_it_is_the_current_one(
    its: Kept, runs: tuple[str, str], name: str
) -> None:
    hosts = dict.fromkeys(("app-1", "app-2"), its)
    signs = {host: {"soa_engine": sign} for host, sign in zip(hosts, runs, strict=True)}
    assert target(hosts, None, signs) == name
    assert target(hosts, THIRD, signs) == THIRD


@pytest.mark.parametrize(
    ("hosts", "asked", "texts"),
    [
        (
            {"app-1": kept(current=None)},
            None,
            ["inventory: release: no host has a record of any; a deploy that ends well makes one"],
        ),
        (
            {"app-1": kept(FIRST, current=FIRST)},
            None,
            [
                f"inventory: release: none before {FIRST} is kept, or all were rolled back (there "
                f"are: {FIRST}); say which by --data release=NAME"
            ],
        ),
        (
            {"app-1": kept(*ALL), "app-2": kept(*ALL, current=FIRST)},
            None,
            [
                f"inventory: release: hosts run different ones (app-1 {THIRD}, app-2 {FIRST}); "
                "say which by --data release=NAME"
            ],
        ),
        (
            {"app-1": kept(*ALL), "app-2": kept(THIRD), "app-3": kept(current=None)},
            FIRST,
            [
                f"app-2: release: has no record of release {FIRST} (it has: {THIRD}); name "
                "another, or leave this host out by --limit",
                f"app-3: release: has no record of release {FIRST} (it has: none); name another, "
                "or leave this host out by --limit",
            ],
        ),
    ],
    ids=["none", "none-before", "different", "lacking"],
)
def test_no_target(hosts: dict[str, Kept], asked: str | None, texts: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        target(hosts, asked, {})
    assert [str(problem) for problem in caught.value.problems] == texts


def gone_wrong() -> Fleet:
    """A fleet that runs the second release, and is to go back to the first."""
    return going_to(recorded(of_round("bad"), SECOND), FIRST, recorded(of_round("1")))


def test_what_changes_is_what_differs_from_the_record() -> None:
    found = gone_wrong()
    changes = [c for _, _, c in container_changes(found, "soa_engine", SPECIFY["soa_engine"])]
    assert [str(each) for each in changes] == [
        f"{name}: soa_engine: replace container engine: env ROUND: changed (interrupts)"
        for name in ("app-1", "app-2")
    ]
    assert container_changes(found, "proxy", SPECIFY["proxy"]) == []
    assert [str(each) for each in plan(found)] == [
        f"app-1: release: go back to {FIRST}: from {SECOND}; pin soa_engine of before",
        f"app-2: release: go back to {FIRST}: from {SECOND}; pin soa_engine of before",
        f"registry-1: release: go back to {FIRST}: from {SECOND}",
    ]
    assert check(found) == []


def test_the_image_is_the_recorded_one_by_tag_and_by_id_where_the_tag_is_anothers() -> None:
    found = gone_wrong()
    had = found["app-1"].released
    assert had is not None
    part = had.parts["soa_engine"]
    spec = SPECIFY["soa_engine"](found, found["app-1"])
    assert spec.image == part.image
    moved = tag_is_anothers(found)
    assert SPECIFY["soa_engine"](moved, moved["app-1"]).image == part.image_id
    _, spec, _ = container_changes(moved, "soa_engine", SPECIFY["soa_engine"])[0]
    assert spec.image_id == part.image_id


def tag_is_anothers(found: Fleet) -> Fleet:
    """The fleet with the recorded engine's image on app-1 under its ID alone."""
    had = found["app-1"].released
    assert had is not None
    part = had.parts["soa_engine"]
    own = [i for i in found["app-1"].observed.images if i.id != part.image_id]
    images = (*own, image(part.image, "again"), replace(image("x"), id=part.image_id, tags=()))
    return look_again(found, "app-1", images=images)


def test_at_a_release_by_its_images_id_nothing_is_left_to_do_and_it_is_not_pinned() -> None:
    ran = recorded(of_round("1"))
    found = tag_is_anothers(going_to(ran, FIRST, ran))
    spec = SPECIFY["soa_engine"](found, found["app-1"])
    assert spec.image.startswith("sha256:")
    others = [c for c in found["app-1"].observed.containers if c.name != spec.name]
    found = look_again(found, "app-1", containers=(running(spec), *others))
    assert rolled_away(found) == ()
    assert plan(found) == []


def test_what_runs_by_its_images_id_has_the_sign_of_its_tag() -> None:
    """Once gone back to by ID, and away from again: it is pinned as its release has it."""
    found = recorded(of_round("1"))
    now = found["app-1"].observed.releases.current
    assert now is not None
    by_tag = SPECIFY["soa_engine"](found, found["app-1"])
    by_id = replace(by_tag, image=now.parts["soa_engine"].image_id)
    found = look_again(found, "app-1", containers=(running(by_id),))
    assert applied(found["app-1"], "soa_engine") == wish_digest(by_tag.applied, (1080,))


def test_an_image_that_is_gone_forbids_it() -> None:
    found = gone_wrong()
    had = found["app-2"].released
    assert had is not None
    part = had.parts["soa_engine"]
    left = tuple(i for i in found["app-2"].observed.images if i.id != part.image_id)
    assert [str(p) for p in check(look_again(found, "app-2", images=left))] == [
        f"app-2: soa_engine.image: {part.image} (ID {part.image_id[7:19]}) of release {FIRST} is "
        "gone from this host; go to another release, or deploy"
    ]


def test_a_part_that_the_release_does_not_have_on_a_host_forbids_it() -> None:
    found = change(gone_wrong(), "app-1", groups=frozenset({"engine", "proxy", "sdk"}))
    assert [str(problem) for problem in check(found)] == [
        f"app-1: sdk: release {FIRST} has none on this host; take it out of that group, or leave "
        "it out by --limit"
    ]


def test_what_ran_is_rolled_away_where_it_differs() -> None:
    found = gone_wrong()
    bad = of_round("bad")
    sign = wished(bad, bad["app-1"])["soa_engine"]
    assert rolled_away(found) == (
        RolledAway("app-1", "soa_engine", sign, SECOND),
        RolledAway("app-2", "soa_engine", sign, SECOND),
    )
    assert [each.host for each in rolled_away(change(found, "app-1", in_limit=False))] == ["app-2"]


def test_what_a_broken_deploy_has_left_is_rolled_away_without_a_release() -> None:
    """The records still say what ran before that deploy."""
    ran, bad = recorded(of_round("1")), recorded(of_round("bad"), SECOND)
    one = bad["app-1"].observed
    found = look_again(ran, "app-1", containers=one.containers)
    found = going_to(found, FIRST, ran)
    [away] = rolled_away(found)
    assert (away.host, away.part, away.release) == ("app-1", "soa_engine", None)
    assert [str(each) for each in plan(found)] == [
        f"app-1: release: go back to {FIRST}: it runs something else; pin soa_engine of before"
    ]


def test_what_a_broken_rollback_has_taken_away_is_still_pinned() -> None:
    """The containers are the first release's already, the record still says the second."""
    found, ran = gone_wrong(), recorded(of_round("1"))
    away = rolled_away(found)
    for name in ("app-1", "app-2"):
        found = look_again(found, name, containers=ran[name].observed.containers)
    assert rolled_away(found) == away != ()


def test_hosts_that_are_left_on_what_was_rolled_back_are_told() -> None:
    found = gone_wrong()
    away = rolled_away(found)
    assert left_behind(found, away) == []
    found = change(found, "app-2", in_limit=False)
    still = "and still runs what was rolled back (soa_engine);"
    to_go = f"--data release={FIRST} takes it back, too"
    assert left_behind(found, away) == [
        f"app-2 is outside the limit, {still} --limit app-2 {to_go}"
    ]
    drained = Drained(BY, 1, 2, "new disk")
    found = replace(look_again(found, "app-2", drained=drained), unreachable=("app-9",))
    assert left_behind(found, away) == [
        "app-9 was not reached, and may still run what was rolled back; once it is, --limit app-9 "
        f"{to_go}",
        f"app-2 is drained, {still} once it is not, --limit app-2 {to_go}",
    ]
    before = recorded(of_round("1"))["app-2"].observed
    found = look_again(found, "app-2", containers=before.containers)
    assert [text.split()[0] for text in left_behind(found, away)] == ["app-9"]
    assert left_behind(found, ()) == []


def test_at_its_release_nothing_is_left_to_do() -> None:
    ran = recorded(of_round("1"))
    found = going_to(ran, FIRST, ran)
    assert rolled_away(found) == ()
    assert plan(found) == []


def test_pins_gather_and_what_runs_then_is_not_pinned() -> None:
    found = gone_wrong()
    one = found["app-1"]
    now = wished(found, one)
    other = Pin("proxy", "0123", None, BY, AT)
    stale = Pin("soa_engine", now["soa_engine"], THIRD, BY, AT)
    releases = replace(one.observed.releases, pins=(other, stale))
    found = look_again(found, "app-1", releases=releases)
    away = rolled_away(found)
    pins = pins_after(found, found["app-1"], away, "bob@desk", "then")
    assert pins == (other, Pin("soa_engine", away[0].digest, SECOND, "bob@desk", "then"))
    again = look_again(found, "app-1", releases=replace(releases, pins=pins))
    assert pins_after(again, again["app-1"], away, "eve@desk", "later") == pins


def test_a_host_of_no_release_is_left_alone() -> None:
    found = fleet(member("app-1"), "registry-1")
    assert rolled_away(found) == ()
    assert plan(found) == check(found) == []
