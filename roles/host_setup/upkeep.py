"""What keeps a host well without anybody: limits, bounded logs, security updates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roles.docker_engine.packages import ALL
from roles.host_setup.change import ROLE, SetupChange, change, file_changes, file_gaps, lines
from roles.host_setup.commands import place, script
from roles.host_setup.packages import installed, packager, packager_problem
from roles.host_setup.spec import JournaldSpec, LimitsSpec, LogRotationSpec
from roles.run.changes import Gap
from roles.run.fleet import Member
from roles.run.problems import Problem

LIMITS_CONF = "/etc/security/limits.d/60-dockyard.conf"
JOURNALD_CONF = "/etc/systemd/journald.conf.d/60-dockyard.conf"
LOGROTATE, LOGROTATE_CONF = "/usr/sbin/logrotate", "/etc/logrotate.d/dockyard"
APT_CONF = "/etc/apt/apt.conf.d/52dockyard-security-updates"
UNATTENDED = "/usr/bin/unattended-upgrade"
APT_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
DNF_CONF = "/etc/dnf/automatic.conf"
DNF_TIMERS = ("dnf-automatic.timer", "dnf5-automatic.timer")
UPDATES_PACKAGES = {"deb": "unattended-upgrades", "rpm": "dnf-automatic"}


def problems(member: Member) -> Iterator[Problem]:
    spec, paths = member.wanted.host_setup, member.observed.paths
    if spec.log_rotation and _log_folders(member) and LOGROTATE not in paths:
        yield from packager_problem(member, f"{ROLE}.log_rotation", "logrotate")
    if spec.security_updates:
        key = f"{ROLE}.security_updates"
        yield from packager_problem(member, key, "unattended-upgrades or dnf-automatic")
        if member.observed.init != "systemd":
            text = f"needs systemd, found {member.observed.init}; leave it away for this host"
            yield Problem(member.name, key, text)


def changes(member: Member) -> Iterator[SetupChange]:
    spec = member.wanted.host_setup
    has_systemd = member.observed.init == "systemd"
    if spec.limits:
        yield from file_changes(member, LIMITS_CONF, limits_conf(spec.limits))
    if spec.journald and has_systemd:  # elsewhere there is no journal
        apply = "systemctl restart systemd-journald"
        yield from file_changes(member, JOURNALD_CONF, journald_conf(spec.journald), apply)
    if spec.log_rotation and _log_folders(member):
        yield from _rotation_changes(member, spec.log_rotation)
    if spec.security_updates and packager(member) and has_systemd:
        yield from _update_changes(member)


def limits_conf(spec: LimitsSpec) -> bytes:
    """`*` is not root, which has lines of its own."""
    wanted = (("nofile", spec.nofile), ("nproc", spec.nproc))
    said = [(item, value) for item, value in wanted if value is not None]
    return lines(*(f"{who} - {item} {value}" for who in ("*", "root") for item, value in said))


def journald_conf(spec: JournaldSpec) -> bytes:
    said = ["[Journal]"]
    if spec.max_use_mb is not None:
        said.append(f"SystemMaxUse={spec.max_use_mb}M")
    if spec.max_retention_days is not None:
        said.append(f"MaxRetentionSec={spec.max_retention_days}day")
    return lines(*said)


def _log_folders(member: Member) -> list[str]:
    return sorted({part.logs.host for part in member.parts.values()})


def logrotate_conf(spec: LogRotationSpec, folders: list[str]) -> bytes:
    """Containers write as users that the host does not know: root rotates, in folders of theirs."""
    pattern = " ".join(f'"{folder}"/*.log' for folder in folders)
    said = [f"size {spec.size_mb}M", f"rotate {spec.count}", "missingok", "notifempty"]
    said += ["compress", "delaycompress", "copytruncate" if spec.copytruncate else "nocreate"]
    return lines(f"{pattern} {{", *(f"    {line}" for line in said), "}")


def _rotation_changes(member: Member, spec: LogRotationSpec) -> list[SetupChange]:
    content = logrotate_conf(spec, _log_folders(member))
    gaps, steps = file_gaps(member, LOGROTATE_CONF, content), []
    if LOGROTATE not in member.observed.paths:
        gaps.insert(0, Gap("package logrotate", "installed", "absent"))
        steps = installed(member, "logrotate")
    step = place(LOGROTATE_CONF, content, check='logrotate -d "$1"')
    return change(member, f"rotate logs by {LOGROTATE_CONF}", gaps, *steps, step)


def apt_conf() -> bytes:
    """Security updates alone, never of the engine, and no reboot: hosts go one by one."""
    origins = (
        "origin=Debian,codename=${distro_codename},label=Debian-Security",
        "origin=Debian,codename=${distro_codename}-security,label=Debian-Security",
        "origin=Ubuntu,archive=${distro_codename}-security,label=Ubuntu",
    )
    return lines(
        'APT::Periodic::Update-Package-Lists "1";',
        'APT::Periodic::Unattended-Upgrade "1";',
        "#clear Unattended-Upgrade::Allowed-Origins;",
        "#clear Unattended-Upgrade::Origins-Pattern;",
        "Unattended-Upgrade::Origins-Pattern {",
        *(f'    "{origin}";' for origin in origins),
        "};",
        "Unattended-Upgrade::Package-Blacklist {",
        *(f'    "^{re.escape(name)}$";' for name in sorted(ALL)),
        "};",
        'Unattended-Upgrade::Automatic-Reboot "false";',
    )


def dnf_conf() -> bytes:
    return lines(
        "[commands]",
        "upgrade_type = security",
        "download_updates = yes",
        "apply_updates = yes",
        "reboot = never",
        "[emitters]",
        "emit_via = stdio",
        "[base]",
        f"excludepkgs = {','.join(sorted(ALL))}",
    )


def _update_changes(member: Member) -> list[SetupChange]:
    kind, setup = packager(member) or "deb", member.observed.setup
    is_deb = kind == "deb"
    path, content = (APT_CONF, apt_conf()) if is_deb else (DNF_CONF, dnf_conf())
    known = setup.unit(*DNF_TIMERS)
    gaps, steps = [], []
    if (UNATTENDED not in member.observed.paths) if is_deb else (known is None):
        gaps.append(Gap(f"package {UPDATES_PACKAGES[kind]}", "installed", "absent"))
        steps += installed(member, UPDATES_PACKAGES[kind])
    gaps += file_gaps(member, path, content)
    steps.append(place(path, content))
    for names in ((name,) for name in APT_TIMERS) if is_deb else (DNF_TIMERS,):
        unit = setup.unit(*names)
        if unit is None or not (unit.is_enabled and unit.is_active):
            gaps += [Gap(names[0], "enabled and running", "not so")] if unit or is_deb else []
            steps.append(script("unit", *names))
    return change(member, "have security updates installed", gaps, *steps)
