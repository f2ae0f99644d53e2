"""Fleets with releases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from roles.images.plan import delivered_ids
from roles.observed import Pin, Release, Releases
from roles.release.plan import released
from roles.run.fleet import Fleet
from tests.unit.build import serving

FIRST, SECOND, THIRD = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def recorded(found: Fleet, name: str = FIRST, pins: Iterable[Pin] = ()) -> Fleet:
    """The fleet that serves what is wanted of it, with a record of that on each host."""
    whole = serving(found)
    ids = delivered_ids(whole)
    members = []
    for one in whole:
        release = Release(name, "ann@laptop", released(whole, one, ids))
        releases = Releases({name: release}, name, tuple(pins))
        members.append(replace(one, observed=replace(one.observed, releases=releases)))
    return replace(whole, members=tuple(members))


def wanting(found: Fleet, other: Fleet) -> Fleet:
    """The first fleet's hosts as they are, with what is wanted in the other."""
    return replace(found, members=tuple(replace(m, wanted=other[m.name].wanted) for m in found))


def going_to(found: Fleet, name: str, other: Fleet) -> Fleet:
    """The fleet's hosts as they are, on their way to what the other one's have recorded."""
    members = []
    for one in found:
        target = other[one.name].observed.releases.current
        assert target is not None
        kept = {**one.observed.releases.kept, name: replace(target, name=name)}
        releases = replace(one.observed.releases, kept=dict(sorted(kept.items())))
        images = (*one.observed.images, *other[one.name].observed.images)
        members.append(
            replace(
                one,
                wanted=other[one.name].wanted,
                released=kept[name],
                observed=replace(one.observed, releases=releases, images=images),
            )
        )
    return replace(found, members=tuple(members))
