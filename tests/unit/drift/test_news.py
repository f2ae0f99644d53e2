from __future__ import annotations

from dataclasses import replace

import pytest

from roles.drift.model import Finding, Report
from roles.drift.news import Known, News, learned, news, told
from tests.unit.drift.build import found, host, report

ONE, TWO = found("app-1", "one"), found("app-2", "two")
NOBODYS = found(None, "/osp/old", role="registry")
AWAY = (host("app-2", "not checked", "timed out"),)
DRAINED = (host("app-2", "maintenance", "ann"),)
OFF = (replace(DRAINED[0], is_read=False),)


def after(*reports: Report) -> Known:
    known = Known()
    for its in reports:
        known = learned(known, its)
    return known


@pytest.mark.parametrize(
    "before, now, expected",
    [
        (report(), report(), News()),
        (report(ONE), report(ONE), News()),
        (report(), report(ONE), News(new=(ONE,))),
        (report(ONE), report(), News(resolved=(ONE,))),
        (report(ONE), report(TWO), News(new=(TWO,), resolved=(ONE,))),
        (report(), report(hosts=AWAY), News(unchecked=("app-2",))),
        (report(hosts=AWAY), report(hosts=AWAY), News()),
        (report(hosts=AWAY), report(), News(checked_again=("app-2",))),
        (report(hosts=AWAY), report(TWO), News(new=(TWO,), checked_again=("app-2",))),
        # an earlier finding of a host that could not be checked
        (report(TWO), report(hosts=AWAY), News(unchecked=("app-2",))),
        (report(TWO), report(hosts=DRAINED), News()),
        (report(TWO), report(TWO, hosts=DRAINED), News()),
        # a finding all the same, such as a node that the registry lists
        (report(), report(TWO, hosts=AWAY), News(new=(TWO,), unchecked=("app-2",))),
        # of no single host
        (report(NOBODYS), report(), News(resolved=(NOBODYS,))),
        (report(NOBODYS), report(hosts=AWAY), News(unchecked=("app-2",))),
        (report(NOBODYS), report(hosts=DRAINED), News(resolved=(NOBODYS,))),
        (report(NOBODYS), report(hosts=OFF), News()),
    ],
)
def test_news(before: Report, now: Report, expected: News) -> None:
    assert news(after(before), now) == expected


def test_at_the_first_run_everything_is_new() -> None:
    its = news(Known(), report(ONE, hosts=AWAY))
    assert its == News(new=(ONE,), unchecked=("app-2",))


@pytest.mark.parametrize("between", [AWAY, DRAINED], ids=["away", "drained"])
def test_a_finding_outlasts_the_absence_of_its_host(between: tuple[object, ...]) -> None:
    known = after(report(TWO), report(hosts=between), report(hosts=between))  # type: ignore[arg-type]
    assert not news(known, report(TWO)).new
    assert news(known, report()).resolved == (TWO,)


@pytest.mark.parametrize(
    "changes",
    [{"kind": "not yet deployed"}, {"found": "64"}, {"wanted": "1"}, {"interrupts": True}],
)
def test_what_is_told_of_a_finding_may_change(changes: dict[str, object]) -> None:
    assert not news(after(report(found())), report(found(**changes)))


@pytest.mark.parametrize(
    "other", [found("app-2"), found(path="other"), found(role="sdk"), found(None)]
)
def test_host_role_and_path_make_a_finding(other: Finding) -> None:
    its = news(after(report(found())), report(other))
    assert (its.new, its.resolved) == ((other,), (found(),))


def test_only_what_counts_is_news() -> None:
    assert not news(Known(), report(found(kind="unmanaged"), found(path="x", ignored="known")))


def test_one_that_is_ignored_now_says_why() -> None:
    ignored = found(ignored="known until May")
    assert news(after(report(found())), report(ignored)) == News(resolved=(ignored,))


def test_a_host_that_has_left_the_inventory() -> None:
    gone, away = found("app-9"), (host("app-9", "not checked"),)
    assert news(after(report(gone, hosts=(host("app-9", "drift"),))), report()).resolved == (gone,)
    known = after(report(gone, hosts=away), report())
    assert known == Known()


def test_a_host_that_was_left_out_stays_as_it_was_known() -> None:
    hosts = (host("app-8", "drift"), host("app-9", "not checked"))
    known = after(report(found("app-8"), NOBODYS, hosts=hosts))
    limited = report(hosts=(host("app-8", "left out"), host("app-9", "left out")))
    assert not news(known, limited)
    assert learned(known, limited) == known


@pytest.mark.parametrize(
    "its, change",
    [
        (News(new=(ONE,), unchecked=("x",)), "drift"),
        (News(resolved=(ONE,)), "resolved"),
        (News(new=(ONE,), resolved=(TWO,)), "mixed"),
        (News(unchecked=("x",)), "hosts"),
        (News(checked_again=("x",)), "hosts"),
    ],
)
def test_what_is_told(its: News, change: str) -> None:
    assert its
    content = told(its, report(ONE))
    assert (content["format"], content["change"]) == (1, change)
    assert [one["path"] for one in content["new"]] == [one.path for one in its.new]
    assert content["report"]["exit_code"] == 2
