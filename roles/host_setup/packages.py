"""Who installs a host's packages, and how that is reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roles.docker_engine.managed import proxy_env
from roles.docker_engine.packages import FAMILY, Family, family
from roles.host_setup.commands import Step, install
from roles.run.fleet import Member
from roles.run.problems import Problem


def packager(member: Member) -> Family | None:
    return family(member.observed)


def environment(member: Member) -> bytes:
    """The way out, as the engine's packages take it."""
    return proxy_env(member.wanted.docker_engine.proxy)


def installed(member: Member, package: str) -> list[Step]:
    """The step that installs a package; none where nobody is known to."""
    kind = packager(member)
    return [install(kind, package, environment=environment(member))] if kind else []


def packager_problem(member: Member, key: str, package: str) -> Iterator[Problem]:
    if packager(member) is None:
        known = ", ".join(FAMILY)
        text = f"needs the package {package}, and only {known} and what is like them are known"
        yield Problem(member.name, key, f"{text}; install it there, or leave the key away")
