"""Which image is built where, and which travels from where to where: pure but for the hashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roles.images.context import tag, unusable
from roles.images.spec import ImageSource
from roles.run.changes import Change, Gap
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem


@dataclass(frozen=True)
class Build:
    """An image that no host has: built on one, from its context."""

    tag: str
    source: ImageSource
    builder: str
    change: Change


@dataclass(frozen=True)
class Transfer:
    """Images that one host lacks and another has, or will have built."""

    tags: tuple[str, ...]
    sender: str
    receiver: str
    changes: tuple[Change, ...]


def image_of(member: Member, role: str) -> str:
    """The tag of the image that a host is to run for a role; of a release, the one that it had.

    Where another image has that tag now, it is the ID.
    """
    part = member.part(role)
    assert part is not None, f"{member.name} runs no {role}"
    if member.released and role in member.released.parts:
        had = member.released.parts[role]
        found = member.observed.image(had.image)
        return had.image if found and found.id == had.image_id else had.image_id
    return tag(part.image, member.wanted.images.base_image)


def delivered_ids(fleet: Fleet) -> dict[str, str]:
    """Tag to the ID that it has wherever it was delivered to: the sender's (see `transfers`).

    A tag that has yet to be built is not in it.
    """
    ids: dict[str, str] = {}
    for member in fleet:
        for image in member.observed.images:
            for known in image.tags:
                ids.setdefault(known, image.id)
    return ids


def released_ids(member: Member) -> dict[str, str]:
    """Tag to ID of what a host is to run of a release; empty where it runs none."""
    parts = member.released.parts if member.released else {}
    return {image_of(member, role): parts[role].image_id for role in parts if member.part(role)}


def check(fleet: Fleet) -> list[Problem]:
    problems = []
    for member in fleet:
        for role, part in member.parts.items():
            why = unusable(part.image)
            if why:
                text = f"the build context '{part.image.context}' {why}"
                problems.append(Problem(member.name, f"{role}.image.context", text))
        for name, archive in member.wanted.images.base_archives.items():
            if not Path(archive).is_file():
                text = f"expected a tar file, found none at '{archive}'"
                problems.append(Problem(member.name, f"images.base_archives.{name}", text))
    return problems


def plan(fleet: Fleet) -> list[Change]:
    changes = [build.change for build in builds(fleet)]
    return changes + [change for transfer in transfers(fleet) for change in transfer.changes]


def builds(fleet: Fleet) -> list[Build]:
    """The images that no host has, all built on one host.

    That is the first that this run may change; the registry's servers, which a busy neighbour can
    cost their quorum, come last.
    """
    candidates = [member for member in fleet if member.in_limit]
    if not candidates:
        return []
    builder = min(candidates, key=lambda member: member.part("registry") is not None).name
    known = {tag for member in fleet for image in member.observed.images for tag in image.tags}
    sources = {tag: source for member in fleet for tag, source in _lacking(member)}
    return [
        Build(tag, source, builder, _building(tag, builder))
        for tag, source in sources.items()
        if tag not in known
    ]


def _building(tag: str, builder: str) -> Change:
    gap = Gap(f"image {tag}", "present", "on no host", "not yet deployed")
    return Change(builder, "images", f"build {tag}", "on no host", gaps=(gap,))


def transfers(fleet: Fleet) -> list[Transfer]:
    """What every host receives; the sender is the first host that has it, or builds it.

    A host whose image has the same tag but another ID than the sender's receives it again.
    """
    built = {build.tag: build.builder for build in builds(fleet)}
    found: list[Transfer] = []
    for member in fleet:
        by_sender: dict[str, dict[str, Change]] = {}
        for image, _ in _wanted(member) if member.in_limit else ():
            sender = built.get(image) or _first_owner(fleet, image)
            why = _difference(fleet, member, sender, image)
            if why:
                gap = Gap(f"image {image}", f"the image of {sender}", why)
                action = f"receive {image} from {sender}"
                change = Change(member.name, "images", action, why, gaps=(gap,))
                by_sender.setdefault(sender, {})[image] = change
        found += [
            Transfer(tuple(changes), sender, member.name, tuple(changes.values()))
            for sender, changes in by_sender.items()
        ]
    return found


def _wanted(member: Member) -> Iterator[tuple[str, ImageSource]]:
    for role, part in member.parts.items():
        yield image_of(member, role), part.image


def _lacking(member: Member) -> Iterator[tuple[str, ImageSource]]:
    for image, source in _wanted(member) if member.in_limit else ():
        if member.observed.image(image) is None:
            yield image, source


def _first_owner(fleet: Fleet, image: str) -> str:
    return next((member.name for member in fleet if member.observed.image(image)), "")


def _difference(fleet: Fleet, member: Member, sender: str, image: str) -> str | None:
    if member.name == sender:
        return None
    found, sent = member.observed.image(image), fleet[sender].observed.image(image)
    if found is None:
        return "absent"
    if sent and found.id != sent.id:
        return f"image ID {found.id[7:19]} -> {sent.id[7:19]}"
    return None
