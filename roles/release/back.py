"""Going back to a release: which one, what forbids it, and what is pinned then. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from roles.observed import Pin
from roles.release.plan import ROLE, applied, wished
from roles.release.store import Kept
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem, Refused
from roles.run.wanted import ROLE_OF_GROUP

SHORT = slice(7, 19)
"""Of an ID, without `sha256:`."""


@dataclass(frozen=True)
class RolledAway:
    """What ran on a host, and is to be pinned there."""

    host: str
    part: str
    digest: str
    release: str | None
    """None: of a deploy that never ended well."""


def target(
    kept: Mapping[str, Kept], asked: str | None, runs: Mapping[str, Mapping[str, str]]
) -> str:
    """Return the name of the release that hosts go back to: what is asked, or the one before.

    That is the last before the current one that was not rolled back itself. Where a host runs what
    neither of the two has there (a deploy was cut off before it was recorded, or failed), it is the
    current one. `runs` is host to role to the sign of what runs; what is not known is left out.

    Raises:
        Refused: there is no such release, or a host has no record of it.
    """
    name = asked or _before(kept, runs)
    lacking = [host for host, its in kept.items() if name not in its.names]
    if lacking:
        raise Refused([Problem(host, ROLE, _lacks(kept[host].names, name)) for host in lacking])
    return name


def _before(kept: Mapping[str, Kept], runs: Mapping[str, Mapping[str, str]]) -> str:
    names = {name for its in kept.values() for name in its.names}
    rolled_back = {pin.release for its in kept.values() for pin in its.pins}
    current = {host: its.current for host, its in kept.items()}
    if not names:
        text = "no host has a record of any; a deploy that ends well makes one"
        raise Refused([Problem(None, ROLE, text)])
    now = {name for name in current.values() if name}
    if len(now) > 1 or None in current.values():
        listed = ", ".join(f"{host} {name or 'an unknown one'}" for host, name in current.items())
        text = f"hosts run different ones ({listed}); say which by --data release=NAME"
        raise Refused([Problem(None, ROLE, text)])
    [running] = now
    earlier = sorted(name for name in names - rolled_back if name < running)
    known = (running, *earlier[-1:])
    if any(_is_unrecorded(kept[host], signs, known) for host, signs in runs.items()):
        return running
    if not earlier:
        listed = ", ".join(sorted(names))
        text = f"none before {running} is kept, or all were rolled back (there are: {listed})"
        text += "; say which by --data release=NAME"
        raise Refused([Problem(None, ROLE, text)])
    return earlier[-1]


def _is_unrecorded(kept: Kept, signs: Mapping[str, str], names: Collection[str]) -> bool:
    """Whether a host runs something that none of these releases has there.

    A rollback that was cut off leaves what the earlier of them has; the next one goes on with it.
    """
    records = [kept.records[name] for name in names if name in kept.records]
    return any(
        sign not in {its.parts[role].digest for its in records if role in its.parts}
        for role, sign in signs.items()
    )


def _lacks(names: Collection[str], name: str) -> str:
    its = ", ".join(sorted(names)) or "none"
    return (
        f"has no record of release {name} (it has: {its}); name another, or leave this host out "
        "by --limit"
    )


def check(fleet: Fleet) -> list[Problem]:
    return [problem for member in fleet if member.in_limit for problem in _problems(member)]


def plan(fleet: Fleet) -> list[Change]:
    return back_changes(fleet, rolled_away(fleet))


def _problems(member: Member) -> Iterator[Problem]:
    had = member.released
    if had is None:
        return
    there = {image.id for image in member.observed.images}
    for role in sorted(ROLE_OF_GROUP[group] for group in member.groups & ROLE_OF_GROUP.keys()):
        part = had.parts.get(role)
        if part is None:
            text = f"release {had.name} has none on this host; take it out of that group"
            yield Problem(member.name, role, f"{text}, or leave it out by --limit")
        elif part.image_id not in there:
            what = f"{part.image} (ID {part.image_id[SHORT]}) of release {had.name}"
            text = f"{what} is gone from this host; go to another release, or deploy"
            yield Problem(member.name, f"{role}.image", text)


def rolled_away(fleet: Fleet) -> tuple[RolledAway, ...]:
    """What runs, or is recorded to, and is not of the release that hosts go back to."""
    return tuple(
        found
        for member in fleet
        if member.in_limit and member.released
        for found in _rolled_away(fleet, member)
    )


def _rolled_away(fleet: Fleet, member: Member) -> Iterator[RolledAway]:
    releases, signs = member.observed.releases, wished(fleet, member)
    now = releases.current
    for role, sign in signs.items():
        recorded = now.parts[role].digest if now and role in now.parts else None
        for digest in sorted({applied(member, role), recorded} - {None, sign}, key=str):
            if digest:
                its = releases.current_name if digest == recorded else None
                yield RolledAway(member.name, role, digest, its)


def back_changes(fleet: Fleet, away: tuple[RolledAway, ...]) -> list[Change]:
    """What the hosts' records are to say; none where they do."""
    found = []
    for member in fleet:
        if not (member.in_limit and member.released and member.parts):
            continue
        was, name = member.observed.releases.current_name, member.released.name
        parts = dict.fromkeys(each.part for each in away if each.host == member.name)
        if was != name or parts:
            action = f"go back to {name}"
            why = f"from {was}" if was != name else "it runs something else"
            why += f"; pin {', '.join(parts)} of before" if parts else ""
            found.append(Change(member.name, ROLE, action, why))
    return found


def left_behind(fleet: Fleet, away: tuple[RolledAway, ...]) -> list[str]:
    """Say of each host that did not go back what it runs of what was rolled away, and what to do.

    Of one that was not reached that is not known.
    """
    signs = {(each.part, each.digest) for each in away}
    name = next((m.released.name for m in fleet if m.in_limit and m.released), None)
    if not signs or name is None:
        return []
    to_go = f"--data release={name} takes it back, too"
    unknown = "was not reached, and may still run what was rolled back; once it is,"
    told = [f"{host} {unknown} --limit {host} {to_go}" for host in fleet.unreachable]
    for member in fleet:
        parts = [role for role in member.parts if (role, applied(member, role)) in signs]
        if parts and not member.in_limit:
            runs = f"still runs what was rolled back ({', '.join(parts)})"
            is_away = member.drained is not None
            why = "is drained, and" if is_away else "is outside the limit, and"
            then = "once it is not," if is_away else ""
            words = (member.name, why, f"{runs};", then, "--limit", member.name, to_go)
            told.append(" ".join(word for word in words if word))
    return told


def pins_after(
    fleet: Fleet, member: Member, away: tuple[RolledAway, ...], by: str, at: str
) -> tuple[Pin, ...]:
    """A host's pins, with what was rolled away and without what it runs then."""
    signs = wished(fleet, member)
    before = [p for p in member.observed.releases.pins if signs.get(p.part) != p.digest]
    known = {(pin.part, pin.digest) for pin in before}
    new = [
        Pin(each.part, each.digest, each.release, by, at)
        for each in away
        if each.host == member.name and (each.part, each.digest) not in known
    ]
    return (*before, *new)
