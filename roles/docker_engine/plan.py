"""What it takes to have the wanted Docker engine on a host. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from roles.docker_engine import daemon_json, managed
from roles.docker_engine.daemon_json import ConfigChange, NotJson
from roles.docker_engine.managed import ManagedFile
from roles.docker_engine.need import package_need, target
from roles.docker_engine.packages import COMPANIONS, installed_engine, installed_set
from roles.docker_engine.problems import ROLE, check
from roles.observed import Observed
from roles.run.changes import Change, Gap, holds
from roles.run.fleet import Fleet, Member

__all__ = ["check", "plan"]

FROM = {
    "files": "the package files",
    "vendor": "the vendor's repository",
    "distro": "the distribution",
    "script": "the script",
}
Kind = Literal["packages", "file", "mode", "proxy", "config", "hold", "service"]
"""`mode` is of a file that holds what it should, `proxy` of the engine's way out."""


@dataclass(frozen=True)
class EngineChange(Change):
    """A change of a host's engine, and which step carries it out."""

    kind: Kind = "packages"


def plan(fleet: Fleet) -> list[Change]:
    return [change for member in fleet if member.in_limit for change in changes(member)]


def changes(member: Member) -> list[EngineChange]:
    """All that differs on one host, in the order in which it is mended."""
    if member.wanted.docker_engine.source == "present":
        return []
    found = [package_change(member), *file_changes(member), config_change(member)]
    found += [hold_change(member), service_change(member)]
    return [change for change in found if change]


def package_change(member: Member) -> EngineChange | None:
    """Packages that are missing, of another version or from another source."""
    why = package_need(member)
    if why is None:
        return None
    listed, source = _listed(member), FROM[member.wanted.docker_engine.source]
    action = f"install {listed} from {source}"
    gap = Gap(f"package {target(member)[0]}", f"{_wanted_version(member)} from {source}", why)
    return _change(member, "packages", action, why, (gap,), has_run(member.observed))


def _wanted_version(member: Member) -> str:
    return member.wanted.docker_engine.version or "any version"


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


def file_changes(member: Member) -> list[EngineChange]:
    """Files of ours beside the engine: its package source and key, its way out."""
    spec, observed = member.wanted.docker_engine, member.observed
    found = []
    if lacks_key(member):
        path = managed.key_path(spec, observed)
        gap = Gap(path, "the vendor's key", "absent")
        found.append(_change(member, "file", f"write {path}", "absent", (gap,)))
    for file in files(member):
        if differs := file.gap(observed):
            kind: Kind = "proxy" if file.path == managed.PROXY_UNIT else "file"
            kind = "mode" if holds(observed, file.path, file.content) else kind
            interrupts = kind == "proxy" and has_run(observed)
            action, why = f"write {file.path}", differs.found
            found.append(_change(member, kind, action, why, (differs,), interrupts))
    if spec.proxy is None and managed.PROXY_UNIT in observed.sums:
        action, why = f"remove {managed.PROXY_UNIT}", "no proxy is wanted any more"
        gap = Gap(managed.PROXY_UNIT, "absent", "present")
        found.append(_change(member, "proxy", action, why, (gap,), has_run(observed)))
    return found


def files(member: Member) -> list[ManagedFile]:
    """The files that the host is to have, but for the keyring, whose name tells what is in it.

    The engine's way out is a unit's, which sysvinit does not know.
    """
    spec, found = member.wanted.docker_engine, []
    if spec.source == "vendor":
        found.append(managed.repository(spec, member.observed))
    if spec.proxy and spec.source != "present" and member.observed.init == "systemd":
        found.append(managed.proxy_unit(spec.proxy))
    return found


def sources_differ(member: Member) -> bool:
    """Whether the vendor's package source, or its key, is not yet as wanted."""
    return any(change.kind == "file" for change in file_changes(member))


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
    before, after = daemon_json.read(member.observed.daemon_json), daemon_json.read(change.text)
    gaps = tuple(
        Gap(f"{daemon_json.PATH} {key}", _value(after, key), _value(before, key))
        for key in change.keys
    )
    return _change(member, "config", action, why, gaps, running and change.restarts)


def _value(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key]) if key in settings else "not set"


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
    gaps = tuple(Gap(f"package {name}", "held", "not held") for name in loose)
    why = "a system upgrade would move them"
    return _change(member, "hold", f"hold {', '.join(names)}", why, gaps)


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
        for word, is_so in (
            ("masked" if service.masked else "disabled", service.enabled),
            ("stopped", service.active),
        )
        if not is_so
    ]
    if not target(member) or not wrong:
        return None
    if package_need(member) is not None and installed_engine(member.observed) is None:
        wrong = ["absent"]
    why = " and ".join(wrong)
    gap = Gap("docker.service", "enabled and running", why)
    return _change(member, "service", "enable and start docker.service", why, (gap,))


def has_run(observed: Observed) -> bool:
    """Whether an engine runs there now, so that its restart is noticed."""
    return observed.docker_service.active


def _change(
    member: Member,
    kind: Kind,
    action: str,
    why: str,
    gaps: tuple[Gap, ...],
    interrupts: bool = False,
) -> EngineChange:
    return EngineChange(member.name, ROLE, action, why, interrupts, gaps, kind)
