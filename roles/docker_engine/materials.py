"""What a host's engine is made from that this machine has to bring: key, package files, script."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from roles.docker_engine import downloads, managed, openpgp
from roles.docker_engine.need import package_need
from roles.docker_engine.openpgp import WrongKey
from roles.docker_engine.plan import sources_differ
from roles.run.fleet import Member
from roles.run.problems import Problem

T = TypeVar("T")


@dataclass(frozen=True)
class Materials:
    key: bytes | None = None
    """The vendor's signing key, and no other."""
    packages: list[Path] = field(default_factory=list)
    script: Path | None = None


def materials(member: Member) -> Materials | Problem:
    """Return what a host needs from this machine, checked; or what is wrong with it.

    Nothing where neither packages nor their source change. A URL is fetched once for all hosts.
    """
    spec = member.wanted.docker_engine
    if package_need(member) is None and not sources_differ(member):
        return Materials()
    key = f"docker_engine.{'vendor.key' if spec.source == 'vendor' else spec.source}"
    try:
        if spec.source == "vendor":
            place = managed.key_place(spec, member.observed)
            return Materials(key=_brought(_key, place, managed.fingerprint(spec, member.observed)))
        if spec.source == "files":
            return Materials(packages=[_brought(downloads.local, f) for f in spec.files])
        if spec.source == "script" and spec.script:
            return Materials(script=_brought(downloads.local, spec.script))
    except downloads.Unusable as error:
        return Problem(member.name, key, f"{error}; mend it there, or here")
    except WrongKey as error:
        text = f"{error}; find out why before you trust another"
        return Problem(member.name, "docker_engine.vendor.fingerprint", text)
    return Materials()


def _key(place: str, fingerprint: str) -> bytes:
    try:
        return openpgp.pinned(downloads.key_material(place), fingerprint)
    except WrongKey as error:
        raise WrongKey(f"{place}: {error}") from None


def _brought(bring: Callable[..., T], *what: Hashable) -> T:
    """What `bring` returns, or raises; both are found out once for all hosts."""
    found = _outcome(bring, *what)
    if isinstance(found, Exception):
        raise found
    result: T = found
    return result


@cache
def _outcome(bring: Callable[..., Any], *what: Hashable) -> Any:
    try:
        return bring(*what)
    except (downloads.Unusable, WrongKey) as error:
        return error
