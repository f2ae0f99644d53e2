"""Settings and modules of the kernel: live, and for the next boot. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roles.host_setup.change import SetupChange, change, file_gaps, lines
from roles.host_setup.commands import place, script
from roles.run.changes import Gap
from roles.run.fleet import Member

SYSCTL_CONF = "/etc/sysctl.d/60-dockyard.conf"
MODULES_CONF = "/etc/modules-load.d/dockyard.conf"


def sysctl_conf(wanted: dict[str, str]) -> bytes:
    """All that is wanted, also what the kernel has not yet: a module may bring it."""
    return lines(*(f"{name} = {value}" for name, value in sorted(wanted.items())))


def modules_conf(wanted: list[str]) -> bytes:
    return lines(*wanted)


def changes(member: Member) -> Iterator[SetupChange]:
    """Modules first: they bring settings."""
    spec = member.wanted.host_setup
    if spec.wanted_modules:
        yield from _module_changes(member, spec.wanted_modules)
    if spec.wanted_sysctls:
        yield from _sysctl_changes(member, spec.wanted_sysctls)


def _module_changes(member: Member, wanted: list[str]) -> list[SetupChange]:
    content, loaded = modules_conf(wanted), member.observed.setup.modules
    missing = [name for name in wanted if name not in loaded]
    gaps = [Gap(f"module {name}", "loaded", "absent") for name in missing]
    gaps += file_gaps(member, MODULES_CONF, content)
    steps = [script("modules", *missing)] if missing else []
    action = f"load {', '.join(wanted)}, now and at boot"
    return change(member, action, gaps, *steps, place(MODULES_CONF, content))


def _sysctl_changes(member: Member, wanted: dict[str, str]) -> list[SetupChange]:
    """Live values come first: what the kernel refuses is not kept for its next boot."""
    content, live = sysctl_conf(wanted), member.observed.setup.sysctls
    differing = [name for name in sorted(wanted) if live.get(name, wanted[name]) != wanted[name]]
    gaps = [Gap(name, wanted[name], live[name]) for name in differing]
    gaps += file_gaps(member, SYSCTL_CONF, content)
    words = [word for name in differing for word in (name, wanted[name])]
    steps = [script("sysctls", *words)] if words else []
    action = f"set {', '.join(differing)}" if differing else f"write {SYSCTL_CONF}"
    if absent := [name for name in sorted(wanted) if name not in live]:
        action += f" (not in this kernel now, and passed over: {', '.join(absent)})"
    return change(member, action, gaps, *steps, place(SYSCTL_CONF, content))
