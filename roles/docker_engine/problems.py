"""What forbids a run, as far as an engine is concerned: pure but for local package files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from roles.docker_engine import daemon_json
from roles.docker_engine.daemon_json import NotJson
from roles.docker_engine.need import named_files, target
from roles.docker_engine.packages import (
    ALL,
    COMPANIONS,
    DISTRO,
    FAMILY,
    distro_packages,
    family,
    installed_engine,
    named_in,
)
from roles.docker_engine.versions import is_older, matches, plain
from roles.observed import Observed
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ROLE = "docker_engine"


def check(fleet: Fleet) -> list[Problem]:
    return [problem for member in fleet for problem in _problems(member)]


def _problems(member: Member) -> Iterator[Problem]:
    yield from _engine_problems(member.name, member.observed)
    if not member.in_limit:
        return
    yield from _source_problems(member)
    yield from _version_problems(member)
    spec = member.wanted.docker_engine
    try:
        if spec.source != "present":
            daemon_json.change(member.observed.daemon_json, spec.config)
    except NotJson as error:
        text = (
            f"{daemon_json.PATH} there is no JSON, and is not overwritten: {error}; "
            "mend it, or move it away"
        )
        yield Problem(member.name, f"{ROLE}.config", text)


def _source_problems(member: Member) -> Iterator[Problem]:
    spec, observed = member.wanted.docker_engine, member.observed
    found = f"{observed.os_id} {observed.os_version}".strip() or "no /etc/os-release"
    key = f"{ROLE}.source"
    if spec.source != "present" and family(observed) is None:
        known = ", ".join(FAMILY)
        text = f"'{spec.source}' knows {known} and what is like them; found {found}"
        yield Problem(member.name, key, f"{text}; install an engine there, and take 'present'")
    elif spec.source == "distro" and not distro_packages(observed):
        known = ", ".join(dict.fromkeys(row.os_id for row in DISTRO))
        text = f"'distro' knows an engine of {known}; {found} brings none that is known"
        yield Problem(member.name, key, f"{text}; take 'vendor' or 'files'")
    elif spec.source == "vendor" and family(observed) == "deb" and not observed.os_codename:
        text = f"'vendor' needs the release's code name, and /etc/os-release of {found} has none"
        yield Problem(member.name, key, text)
    if spec.source == "present" and observed.docker_version is None:
        text = "'present' expects an engine that somebody else runs, and none answers"
        yield Problem(member.name, key, f"{text}; start or install one, or take another source")
    if spec.source == "files":
        yield from _file_problems(member)


def _file_problems(member: Member) -> Iterator[Problem]:
    spec = member.wanted.docker_engine
    kind = family(member.observed)
    for file in spec.files:
        if kind and (named_in(file.name) is None or not file.name.endswith(f".{kind}")):
            text = f"expected a .{kind} file under its usual name, found '{file.name}'"
            yield Problem(member.name, f"{ROLE}.files", text)
        if file.path and not Path(file.path).is_file():
            text = f"there is no file '{file.path}' on this machine; put it there"
            yield Problem(member.name, f"{ROLE}.files", text)
    names = target(member)
    if not names or names[0] not in COMPANIONS:
        text = f"no engine is among them; expected one of {', '.join(COMPANIONS)}"
        yield Problem(member.name, f"{ROLE}.files", text)
    versions = named_files(spec)
    if spec.version and names and not matches(spec.version, versions[names[0]]):
        text = f"expected {spec.version}, but the file brings {names[0]} {versions[names[0]]}"
        yield Problem(member.name, f"{ROLE}.version", text)


def _version_problems(member: Member) -> Iterator[Problem]:
    spec, observed = member.wanted.docker_engine, member.observed
    engine = installed_engine(observed)
    found = observed.packages[engine] if engine else observed.docker_version
    if spec.version is None or found is None:
        return
    if spec.source == "present" and not matches(spec.version, found):
        text = f"expected {spec.version}, found {found}; whoever manages this engine can change it"
        yield Problem(member.name, f"{ROLE}.version", text)
    may_lower = spec.allow_downgrade or spec.source == "present"
    if not may_lower and is_older(spec.version, found):
        yield downgrade(member.name, found, spec.version)


def downgrade(host: str, found: str, wanted: str) -> Problem:
    text = (
        f"{found} is installed, and {plain(wanted)} would be a downgrade, which engines do not "
        "promise to survive; name another version, or set docker_engine.allow_downgrade"
    )
    return Problem(host, f"{ROLE}.version", text)


def _engine_problems(host: str, observed: Observed) -> Iterator[Problem]:
    if observed.docker_hangs:
        yield Problem(
            host,
            ROLE,
            "Docker did not answer within 10 s; look at `journalctl -u docker` there, "
            "restart the service, and run again",
        )
    elif observed.docker_error and observed.docker_service.active and not observed.unfinished & ALL:
        yield Problem(
            host,
            ROLE,
            f"docker.service runs, but its engine does not answer: {observed.docker_error}",
        )
