"""What is recorded at the end of a run, and what may not come back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from roles.container.difference import last_applied
from roles.container.instance import current
from roles.container.part import PartSpec
from roles.container.plan import Specify
from roles.container.spec import TO_BE_BUILT, ContainerSpec
from roles.container.wish import wish_digest
from roles.images.plan import delivered_ids, image_of, released_ids
from roles.observed import Observed, Pin, ReleasedPart
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine

ROLE = "release"
UNPIN = "--data unpin=true"
SPECIFY: Mapping[str, Specify] = {
    registry.ROLE: registry.container,
    soa_engine.ROLE: soa_engine.container,
    proxy.ROLE: proxy.container,
    sdk.ROLE: sdk.container,
}


def wished(fleet: Fleet, member: Member) -> dict[str, str]:
    """Role to the sign of what is wished of that part."""
    return {role: _sign(member, role, SPECIFY[role](fleet, member)) for role in member.parts}


def applied(member: Member, role: str) -> str | None:
    """The sign of what was last applied to a part that is there; None where that is not known."""
    part = member.part(role)
    return applied_to(member.observed, role, part) if part else None


def applied_to(observed: Observed, role: str, part: PartSpec) -> str | None:
    """The same of a host that is no member yet; `part` says which container, and its ports.

    One that runs by its image's ID, since the tag is another image's, has the tag's sign.
    """
    found = current(observed, part.container)
    fields = last_applied(found) if found else None
    if not fields:
        return None
    had = [its.parts[role] for its in observed.releases.kept.values() if role in its.parts]
    tags = {each.image_id: each.image for each in had}
    image = str(fields.get("image"))
    return wish_digest({**fields, "image": tags.get(image, image)}, part.host_ports)


def released(fleet: Fleet, member: Member, ids: Mapping[str, str]) -> dict[str, ReleasedPart]:
    """Role to what this run has a host run; `ids` are those of the images after delivery."""
    known = {**ids, **released_ids(member)}
    images = {role: image_of(member, role) for role in member.parts}
    return {
        role: ReleasedPart(sign, images[role], known.get(images[role], TO_BE_BUILT))
        for role, sign in wished(fleet, member).items()
    }


def is_recorded(fleet: Fleet) -> bool:
    """Whether what this run has its hosts run is what their current records say."""
    return not _lacking(fleet)


def _lacking(fleet: Fleet) -> list[Member]:
    ids = delivered_ids(fleet)
    return [
        member
        for member in fleet
        if member.in_limit and member.parts and not _has_record(fleet, member, ids)
    ]


def _has_record(fleet: Fleet, member: Member, ids: Mapping[str, str]) -> bool:
    now = member.observed.releases.current
    return now is not None and now.parts == released(fleet, member, ids)


def pinned(fleet: Fleet, member: Member) -> list[Pin]:
    """A host's own pins against what is wished of it."""
    signs = wished(fleet, member)
    return [pin for pin in member.observed.releases.pins if signs.get(pin.part) == pin.digest]


def standing(fleet: Fleet, member: Member) -> dict[str, tuple[str, Pin]]:
    """Role to the pin against what is wished of a host, and the host that has it.

    That is itself, or any other: it may have been drained or unreachable when that was rolled back.
    """
    signs = wished(fleet, member)
    found: dict[str, tuple[str, Pin]] = {}
    for other in (member, *fleet):
        for pin in other.observed.releases.pins:
            if signs.get(pin.part) == pin.digest:
                found.setdefault(pin.part, (other.name, pin))
    return found


def check(fleet: Fleet) -> list[Problem]:
    return pin_problems(fleet, SPECIFY)


def pin_problems(fleet: Fleet, roles: Collection[str]) -> list[Problem]:
    """What was rolled back of these roles, and would come again."""
    return [
        problem
        for member in fleet
        if member.in_limit
        for problem in _problems(fleet, member)
        if problem.key in roles
    ]


def plan(fleet: Fleet) -> list[Change]:
    """The hosts whose records alone are to change: a deploy ended before it had recorded them.

    Where containers change, the record is no change of its own: it says what they have come to.
    """
    lacking = _lacking(fleet)
    roles = (registry, soa_engine, proxy, sdk) if lacking else ()
    changing = {change.host for role in roles for change in role.plan(fleet)}
    return [
        Change(member.name, ROLE, "record release", _why(member))
        for member in lacking
        if member.name not in changing
    ]


def _why(member: Member) -> str:
    now = member.observed.releases.current
    return f"it runs something else than {now.name}" if now else "it has no record of what it runs"


def _problems(fleet: Fleet, member: Member) -> Iterator[Problem]:
    if member.wanted.unpin:
        return
    for role, (host, pin) in standing(fleet, member).items():
        if applied(member, role) != pin.digest:
            what = f"release {pin.release}" if pin.release else "this"
            where = "" if host == member.name else f" on {host}"
            text = f"{what} was rolled back{where} by {pin.by} on {pin.at}"
            yield Problem(member.name, role, f"{text}; deploy another, or say {UNPIN}")


def _sign(member: Member, role: str, spec: ContainerSpec) -> str:
    part = member.part(role)
    had = member.released.parts.get(role) if member.released else None
    fields = {**spec.applied, "image": had.image if had else spec.image}
    return wish_digest(fields, part.host_ports if part else ())
