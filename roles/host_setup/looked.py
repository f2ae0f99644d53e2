"""What the probe is asked of a host itself: only of what is wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from roles.host_setup import account, clock, kernel, upkeep
from roles.host_setup.spec import HostSetupSpec


@dataclass(frozen=True)
class Asked:
    """What `Look` is to have besides."""

    paths: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    setup: tuple[tuple[str, str], ...] = ()


def looked_at(spec: HostSetupSpec) -> Asked:
    """Before a host's family is known: of both, where they differ."""
    paths: list[str] = []
    sums: list[str] = []
    setup: list[tuple[str, str]] = []
    if user := spec.user:
        setup.append(("user", user.name))
        setup += [("user", str(user.uid))] if user.uid is not None else []
        if user.lock_passwords or not user.is_root:
            setup.append(("sshd", "-"))
        paths.append(user.shell)
        if user.sudo and not user.is_root:
            setup.append(("sudoers", "-"))
            sums.append(account.rule_path(user))
        if user.lock_passwords:
            setup.append(("block", account.SSHD_CONFIG))
            paths.append(account.SSHD)
            sums.append(account.DROP_IN)
    if spec.name:
        setup.append(("hosts", "-"))
    if spec.timezone:
        setup.append(("zone", "-"))
        paths += [clock.ZONES, f"{clock.ZONES}/{spec.timezone}"]
    if spec.time_sync:
        setup += [("unit", name) for names in clock.UNITS.values() for name in names]
        if spec.time_sync.servers:
            setup += [("block", path) for path in clock.CHRONY_CONFS.values()]
            sums.append(clock.TIMESYNCD_CONF)
    if spec.wanted_modules:
        setup += [("module", name) for name in spec.wanted_modules]
        sums.append(kernel.MODULES_CONF)
    if spec.wanted_sysctls:
        setup += [("sysctl", name) for name in sorted(spec.wanted_sysctls)]
        sums.append(kernel.SYSCTL_CONF)
    if spec.security_updates:
        setup += [("unit", name) for name in (*upkeep.APT_TIMERS, *upkeep.DNF_TIMERS)]
        paths.append(upkeep.UNATTENDED)
        sums += [upkeep.APT_CONF, upkeep.DNF_CONF]
    if spec.log_rotation:
        paths.append(upkeep.LOGROTATE)
        sums.append(upkeep.LOGROTATE_CONF)
    sums += [upkeep.LIMITS_CONF] if spec.limits else []
    sums += [upkeep.JOURNALD_CONF] if spec.journald else []
    return Asked(tuple(paths), tuple(sums), tuple(setup))
