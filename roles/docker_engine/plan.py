"""What it takes to have the wanted Docker engine on a host: pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from roles.observed import Observed
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

DISTRO_PACKAGES = {
    ("debian", "12"): ("docker.io",),
    ("debian", "13"): ("docker.io", "docker-cli"),
}
"""The packages of an engine, by distribution and release. Debian 13 packs the client apart."""

OTHER_ENGINES = ("docker-ce", "docker-engine", "docker-ee")
"""Engines from other sources than the distribution."""


def packages(observed: Observed) -> tuple[str, ...]:
    """The packages that this host's engine consists of; none where it is not supported."""
    return DISTRO_PACKAGES.get((observed.os_id, observed.os_version), ())


def check(fleet: Fleet) -> list[Problem]:
    return [problem for member in fleet for problem in _problems(member)]


def plan(fleet: Fleet) -> list[Change]:
    return [
        change
        for member in fleet
        if member.in_limit
        for change in (package_change(member), service_change(member))
        if change
    ]


def package_change(member: Member) -> Change | None:
    """Packages that are missing. Installing them also enables and starts the service."""
    missing = _missing(member.observed)
    if not missing:
        return None
    action = f"install {', '.join(missing)}, enable and start docker.service"
    return Change(member.name, "docker_engine", action, "absent")


def service_change(member: Member) -> Change | None:
    """A service of an installed engine that is not enabled, or does not run."""
    service = member.observed.docker_service
    wrong = [
        word
        for word, is_so in (("disabled", service.enabled), ("stopped", service.active))
        if not is_so
    ]
    if _missing(member.observed) or not wrong:
        return None
    action = "enable and start docker.service"
    return Change(member.name, "docker_engine", action, " and ".join(wrong))


def _missing(observed: Observed) -> list[str]:
    return [name for name in packages(observed) if name not in observed.packages]


def _problems(member: Member) -> Iterator[Problem]:
    observed = member.observed
    if not packages(observed):
        known = ", ".join(f"{os} {version}" for os, version in DISTRO_PACKAGES)
        yield Problem(
            member.name,
            "docker_engine.source",
            f"'distro' knows the packages of {known}; found {observed.os_id} {observed.os_version}",
        )
    foreign = [name for name in OTHER_ENGINES if name in observed.packages]
    if foreign:
        yield Problem(
            member.name,
            "docker_engine.source",
            f"{', '.join(foreign)} is installed, which 'distro' would replace; remove it first",
        )
    if observed.docker_hangs:
        yield Problem(
            member.name,
            "docker_engine",
            "`docker version` did not answer within 10 s; look at `journalctl -u docker` there, "
            "restart the service, and run again",
        )
    elif observed.docker_error and observed.docker_service.active:
        yield Problem(
            member.name,
            "docker_engine",
            f"docker.service runs, but its engine does not answer: {observed.docker_error}",
        )
