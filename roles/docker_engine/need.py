"""Which packages a host's engine is to consist of, and why they are to be installed. Pure."""

from __future__ import annotations

from roles.docker_engine.packages import (
    ALL,
    COMPANIONS,
    VENDOR,
    distro_packages,
    installed_engine,
    named_in,
)
from roles.docker_engine.spec import DockerEngineSpec
from roles.docker_engine.versions import matches, without_epoch
from roles.observed import Observed
from roles.run.fleet import Member


def target(member: Member) -> tuple[str, ...]:
    """The packages that the wanted engine consists of, the engine's own first."""
    return packages_of(member.wanted.docker_engine, member.observed)


def packages_of(spec: DockerEngineSpec, observed: Observed) -> tuple[str, ...]:
    if spec.source == "distro":
        return distro_packages(observed)
    if spec.source == "files":
        return tuple(sorted(named_files(spec), key=lambda name: name not in COMPANIONS))
    return VENDOR if spec.source in ("vendor", "script") else ()


def named_files(spec: DockerEngineSpec) -> dict[str, str]:
    """The engine's own packages among the files, with their versions."""
    found = [named_in(file.name) for file in spec.files]
    return dict(pair for pair in found if pair and pair[0] in ALL)


def package_need(member: Member) -> str | None:
    """Why packages have to be installed or replaced; None where they are as wanted."""
    spec, observed = member.wanted.docker_engine, member.observed
    wanted = target(member)
    if spec.source == "present" or not wanted:
        return None
    unfinished = sorted(observed.unfinished & ALL)
    if unfinished:
        return f"the installation of {', '.join(unfinished)} was cut off"
    engine = installed_engine(observed)
    if engine is None:
        return "absent"
    if engine != wanted[0]:
        return f"{engine} is installed"
    missing = [name for name in wanted if name not in observed.packages]
    if missing:
        return f"{', '.join(missing)} absent"
    return _version_need(member, wanted)


def _version_need(member: Member, wanted: tuple[str, ...]) -> str | None:
    spec, observed = member.wanted.docker_engine, member.observed
    if spec.source == "files":
        for name, version in named_files(spec).items():
            if without_epoch(observed.packages[name]) != version:
                return f"{name} {observed.packages[name]} -> {version}"
        return None
    found = observed.packages[wanted[0]]
    if spec.version is None or matches(spec.version, found):
        return None
    return f"{wanted[0]} {found} -> {spec.version}"
