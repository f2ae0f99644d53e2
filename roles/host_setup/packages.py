"""Who installs a host's packages, and how that is reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roles.docker_engine.managed import proxy_env
from roles.docker_engine.packages import FAMILY, Family, family
from roles.run.fleet import Member
from roles.run.problems import Problem


def packager(member: Member) -> Family | None:
    return family(member.observed)


def environment(member: Member) -> bytes:
    """The way out, as the engine's packages take it."""
    return proxy_env(member.wanted.docker_engine.proxy)


def packager_problem(member: Member, key: str, package: str) -> Iterator[Problem]:
    if packager(member) is None:
        known = ", ".join(FAMILY)
        text = f"needs the package {package}, and only {known} and what is like them are known"
        yield Problem(member.name, key, f"{text}; install it there, or leave the key away")
