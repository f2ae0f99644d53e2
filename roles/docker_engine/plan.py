"""What it takes to have the wanted Docker engine on a host: pure but for local package files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roles.docker_engine import daemon_json, managed
from roles.docker_engine.daemon_json import ConfigChange, NotJson
from roles.docker_engine.managed import ManagedFile
from roles.docker_engine.packages import (
    ALL,
    COMPANIONS,
    DISTRO,
    FAMILY,
    VENDOR,
    distro_packages,
    family,
    installed_engine,
    installed_set,
    named_in,
)
from roles.docker_engine.spec import DockerEngineSpec
from roles.docker_engine.versions import is_older, matches, plain, without_epoch
from roles.observed import Observed
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

ROLE = "docker_engine"
FROM = {
    "files": "the package files",
    "vendor": "the vendor's repository",
    "distro": "the distribution",
    "script": "the script",
}
Kind = Literal["packages", "file", "config", "hold", "service"]


@dataclass(frozen=True)
class EngineChange(Change):
    """A change of a host's engine, and which step carries it out."""

    kind: Kind = "packages"


def check(fleet: Fleet) -> list[Problem]:
    return [problem for member in fleet for problem in _problems(member)]


def plan(fleet: Fleet) -> list[Change]:
    return [change for member in fleet if member.in_limit for change in changes(member)]


def changes(member: Member) -> list[EngineChange]:
    """All that differs on one host, in the order in which it is mended."""
    if member.wanted.docker_engine.source == "present":
        return []
    found = [package_change(member), *file_changes(member), config_change(member)]
    found += [hold_change(member), service_change(member)]
    return [change for change in found if change]


def target(member: Member) -> tuple[str, ...]:
    """The packages that the wanted engine consists of, the engine's own first."""
    spec = member.wanted.docker_engine
    if spec.source == "distro":
        return distro_packages(member.observed)
    if spec.source == "files":
        return tuple(sorted(_named(spec), key=lambda name: name not in COMPANIONS))
    return VENDOR if spec.source in ("vendor", "script") else ()


def _named(spec: DockerEngineSpec) -> dict[str, str]:
    """The engine's own packages among the files, with their versions."""
    found = [named_in(file.name) for file in spec.files]
    return dict(pair for pair in found if pair and pair[0] in ALL)


def package_need(member: Member) -> str | None:
    """Why packages have to be installed or replaced; None where they are as wanted."""
    spec, observed = member.wanted.docker_engine, member.observed
    wanted = target(member)
    if spec.source == "present" or not wanted:
        return None
    unfinished = sorted(observed.unfinished)
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
        for name, version in _named(spec).items():
            if without_epoch(observed.packages[name]) != version:
                return f"{name} {observed.packages[name]} -> {version}"
        return None
    found = observed.packages[wanted[0]]
    if spec.version is None or matches(spec.version, found):
        return None
    return f"{wanted[0]} {found} -> {spec.version}"


def package_change(member: Member) -> EngineChange | None:
    """Packages that are missing, of another version or from another source."""
    why = package_need(member)
    if why is None:
        return None
    action = f"install {_listed(member)} from {FROM[member.wanted.docker_engine.source]}"
    return _change(member, "packages", action, why, interrupts=has_run(member.observed))


def _listed(member: Member) -> str:
    """The engine's own packages with their versions, and how many come with them."""
    names, transaction = target(member), member.rehearsed
    if transaction is None:
        return ", ".join(names)
    own = [name for name in COMPANIONS.get(names[0], ()) if transaction.version_of(name)]
    others = {*transaction.installs, *transaction.upgrades, *transaction.downgrades} - {*own}
    shown = ", ".join(f"{name} {transaction.version_of(name)}" for name in own or names)
    more = f" and {len(others)} more" if others else ""
    gone = ", ".join(f"{name} {version}" for name, version in transaction.removals.items())
    return f"{shown}{more}" + (f" in place of {gone}" if gone else "")


def file_changes(member: Member) -> list[EngineChange | None]:
    """Files of ours beside the engine: its package source, its way out."""
    return [
        _change(
            member,
            "file",
            f"write {file.path}",
            "differs" if file.path in member.observed.sums else "absent",
            interrupts=file.path == managed.PROXY_UNIT and has_run(member.observed),
        )
        for file in files(member)
        if not file.is_there(member.observed)
    ]


def files(member: Member) -> list[ManagedFile]:
    """The files that the host is to have, but for the keyring, whose name tells what is in it."""
    spec, found = member.wanted.docker_engine, []
    if spec.source == "vendor":
        found.append(managed.repository(spec, member.observed))
    if spec.proxy and spec.source != "present":
        found.append(managed.proxy_unit(spec.proxy))
    return found


def lacks_key(member: Member) -> bool:
    """Whether the vendor's key has to be placed; with the package source that names it."""
    spec = member.wanted.docker_engine
    if spec.source != "vendor":
        return False
    return managed.key_path(spec, member.observed) not in member.observed.paths


def config_change(member: Member) -> EngineChange | None:
    """Keys of daemon.json that differ; one that can't be read is a problem, and no change."""
    change = config(member)
    if change is None:
        return None
    running = has_run(member.observed)
    how = "restart" if change.restarts else "reload"
    action = f"set {', '.join(change.keys)} in {daemon_json.PATH}"
    why = "absent" if member.observed.daemon_json is None else "differs"
    if running:
        action = f"{action} and {how} the engine"
    return _change(member, "config", action, why, interrupts=running and change.restarts)


def config(member: Member) -> ConfigChange | None:
    try:
        return daemon_json.change(member.observed.daemon_json, member.wanted.docker_engine.config)
    except NotJson:
        return None


def hold_change(member: Member) -> EngineChange | None:
    """Packages of the engine that a system upgrade would move."""
    if not member.wanted.docker_engine.hold or not target(member):
        return None
    names = held_names(member)
    loose = [name for name in names if name not in member.observed.held]
    if not loose:
        return None
    return _change(member, "hold", f"hold {', '.join(names)}", "a system upgrade would move them")


def held_names(member: Member) -> list[str]:
    """What is to be held: all that is, or will be, installed of the engine's set."""
    if package_need(member) is None:
        return list(installed_set(member.observed))
    companions = COMPANIONS.get(target(member)[0], ())
    coming = member.rehearsed.version_of if member.rehearsed else target(member).__contains__
    return [n for n in companions if coming(n) or n in member.observed.packages]


def service_change(member: Member) -> EngineChange | None:
    """A service of an installed engine that is not enabled, or does not run."""
    service = member.observed.docker_service
    wrong = [
        word
        for word, is_so in (("disabled", service.enabled), ("stopped", service.active))
        if not is_so
    ]
    if not target(member) or not wrong:
        return None
    if package_need(member) is not None and installed_engine(member.observed) is None:
        wrong = ["absent"]
    return _change(member, "service", "enable and start docker.service", " and ".join(wrong))


def has_run(observed: Observed) -> bool:
    """Whether an engine runs there now, so that its restart is noticed."""
    return observed.docker_service.active


def _change(
    member: Member, kind: Kind, action: str, why: str, interrupts: bool = False
) -> EngineChange:
    return EngineChange(member.name, ROLE, action, why, interrupts, kind)


def _problems(member: Member) -> Iterator[Problem]:
    yield from _source_problems(member)
    yield from _version_problems(member)
    yield from _engine_problems(member.name, member.observed)
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
    has_engine = installed_engine(observed) or observed.docker_version
    if spec.source == "present" and not has_engine:
        text = "'present' expects an engine that somebody else installed; found none"
        yield Problem(member.name, key, f"{text}; install one, or take another source")
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
    versions = _named(spec)
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
            "`docker version` did not answer within 10 s; look at `journalctl -u docker` there, "
            "restart the service, and run again",
        )
    elif observed.docker_error and observed.docker_service.active and not observed.unfinished:
        yield Problem(
            host,
            ROLE,
            f"docker.service runs, but its engine does not answer: {observed.docker_error}",
        )
