"""Which engine a kernel, a distribution and an architecture allow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from roles.docker_engine.versions import numbers
from roles.host_check.versions import (
    ARCHITECTURES,
    CGROUP_RULES,
    DEBIAN_IMAGES,
    KERNEL_RULES,
    NEWEST,
    PACKAGED,
    REMEDIES,
    KernelRule,
    Version,
)

ENTERPRISE = ("rhel", "centos")
"""Red Hat's distribution and its rebuilds: their kernels carry what newer ones brought."""


OTHER_MACHINE = "install a 64-bit system (x86_64 or aarch64)"


@dataclass(frozen=True)
class Resolution:
    """What a host allows. `newest` None: no engine at all.

    `rule` is what forbids a newer one, None where nothing does; `remedy` what allows it. `packaged`
    is the last engine that was packaged for the release, None where that is not known. `oldest` is
    what the control groups need.
    """

    newest: str | None
    rule: str | None = None
    remedy: str | None = None
    packaged: str | None = None
    oldest: str | None = None


class _Released(Protocol):
    @property
    def systems(self) -> tuple[str, ...]: ...

    @property
    def release(self) -> str: ...


R = TypeVar("R", bound=_Released)


def resolve(
    kernel: str,
    os_id: str,
    os_version: str,
    os_like: Sequence[str],
    architecture: str,
    cgroup_version: int | None,
) -> Resolution:
    """Find the newest engine that runs on a host, by its `uname` and its `os-release`."""
    packaged = of_release(PACKAGED, os_id, os_like, os_version)
    oldest = next((rule.oldest for rule in CGROUP_RULES if rule.version == cgroup_version), None)
    by_machine, machine_rule = of_machine(architecture, os_id, os_like)
    by_kernel, kernel_rule = of_kernel(kernel, os_id, os_like)
    limits: list[tuple[str | None, str | None, str | None]] = [
        (by_machine, machine_rule, None if by_machine else OTHER_MACHINE),
        (by_kernel, kernel_rule, newer_kernel(os_id, os_like, os_version, architecture)),
    ]
    if packaged:
        text = f"the last engine packaged for {os_id} {os_version} is {packaged.newest}"
        rule = f"{text} (as documented in {packaged.source})"
        limits.append((packaged.newest, rule, "upgrade the distribution"))
    newest, rule_of_it, remedy = min(limits, key=lambda limit: numbers(limit[0] or ""))
    known = packaged.newest if packaged else None
    return Resolution(newest, rule_of_it, remedy, known, oldest)


def kernel_version(release: str) -> Version:
    """`3.10.0-1160.el7.x86_64` is 3, 10, 0, 1160; empty where it is no version."""
    match = re.match(r"\d+(?:\.\d+)*(?:-\d+)?", release)
    return tuple(int(number) for number in re.split(r"[.-]", match[0])) if match else ()


def is_packaged(engine: str, resolution: Resolution) -> bool:
    """Whether a version was packaged for the release, as far as that is known."""
    return resolution.packaged is None or numbers(engine) <= numbers(resolution.packaged)


def of_release(rows: Iterable[R], os_id: str, os_like: Sequence[str], release: str) -> R | None:
    """The row of a release. Rebuilds of Red Hat's distribution have its numbers, and its rows.

    CentOS, whose Stream ends earlier, has rows of its own alone.
    """
    is_rebuild = os_id not in ENTERPRISE and bool({*ENTERPRISE} & {*os_like})
    for system in (os_id, "rhel") if is_rebuild else (os_id,):
        for row in rows:
            if system in row.systems and _is_of(release, row.release):
                return row
    return None


def newer_kernel(os_id: str, os_like: Sequence[str], release: str, architecture: str) -> str:
    """How a host gets a newer kernel: the command, where one is known."""
    row = of_release(REMEDIES, os_id, os_like, release)
    if row is None:
        return "install a kernel of 4.0 or newer, and reboot"
    image = DEBIAN_IMAGES.get(architecture, "linux-image-ARCHITECTURE")
    return row.command.replace("{image}", image)


def _is_of(release: str, wanted: str) -> bool:
    return not wanted or release == wanted or release.startswith(f"{wanted}.")


def of_machine(
    architecture: str, os_id: str, os_like: Sequence[str]
) -> tuple[str | None, str | None]:
    """The newest engine for an architecture, None for none; and what forbids a newer one."""
    systems = (os_id, *os_like)
    row = next((row for row in ARCHITECTURES if architecture in row.machines), None)
    if row is None:
        return None, f"no engine is known for {architecture}"
    if row.systems is not None and not set(systems) & set(row.systems):
        return None, f"{row.text} (as documented in {row.source})"
    limit = None if row.newest == NEWEST else f"{row.text} (as documented in {row.source})"
    return row.newest, limit


def of_kernel(kernel: str, os_id: str, os_like: Sequence[str]) -> tuple[str | None, str | None]:
    """The newest engine for a kernel, by the first rule that it breaks; and that rule."""
    found, systems = kernel_version(kernel), (os_id, *os_like)
    broken = next((rule for rule in KERNEL_RULES if found < _needed(rule, systems)), None)
    if broken is None:
        return NEWEST, None
    return broken.last, f"{broken.text} (as documented in {broken.source})"


def _needed(rule: KernelRule, systems: Sequence[str]) -> Version:
    is_enterprise = bool(set(systems) & set(ENTERPRISE))
    return kernel_version(rule.enterprise if rule.enterprise and is_enterprise else rule.kernel)
