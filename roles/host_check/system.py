"""Checks of disks, memory, time, and of who runs the commands."""

from __future__ import annotations

from roles.docker_engine.need import packages_of
from roles.docker_engine.packages import COMPANIONS, installed_engine
from roles.docker_engine.versions import numbers
from roles.host_check.finding import Judged, Subject, failed, passed, warned
from roles.observed import Disk

MIB, GIB = 1024, 1024 * 1024
"""In KiB."""

DATA_ROOT_KIB = (1 * GIB, 5 * GIB)
LOGS_KIB = (100 * MIB, 1 * GIB)
"""Less free than the first fails, less than the second is warned of."""
INODES = (20_000, 100_000)
MEMORY_KIB = 256 * MIB
ENGINE_KIB = 128 * MIB
"""What the engine itself takes, as measured: about 115 MB."""
SKEW_S = (5, 60)
"""More than the first is warned of, more than the second fails."""

UNFIT = ("overlayfs", "aufs", "nfs", "tmpfs", "ramfs", "fuseblk", "cifs", "smb2", "ecryptfs")
FIT = ("ext2/ext3", "ext4", "xfs", "btrfs", "zfs")
NEEDS_OVERLAY = (23,)
STAND_INS = ("podman-docker",)


def root(host: Subject) -> Judged:
    found = host.observed.user_id
    if found == 0:
        return passed("root")
    return failed(f"commands run as user {found}, expected root")


def overlay(host: Subject) -> Judged:
    state = host.fitness.features.get("overlay", "unknown")
    if state == "there" or host.observed.has_overlay:
        return passed("loaded when the engine starts" if state == "loadable" else "there")
    if host.observed.storage_driver:
        return passed(f"the engine uses {host.observed.storage_driver}")
    if numbers(host.engine) < NEEDS_OVERLAY:
        return warned(f"the kernel has no overlay file system; engine {host.engine} does without")
    return failed("the kernel has no overlay file system")


def data_root(host: Subject) -> Judged:
    disk = host.disk(host.data_root)
    if host.observed.storage_driver in ("overlay2", "overlayfs"):
        return passed(f"the engine uses {host.observed.storage_driver}")
    if disk is None or not disk.kind:
        return warned(f"the host does not tell what {host.data_root} lies on")
    where = f"{host.data_root} lies on {disk.kind}"
    if disk.kind in UNFIT:
        return failed(f"{where}, on which overlay2 does not work")
    if disk.kind == "xfs" and disk.has_file_types is False:
        return failed(f"{where} with ftype=0, on which overlay2 does not work")
    if disk.kind == "xfs" and disk.has_file_types is None:
        return warned(f"{where}; xfs_info, which would tell its ftype, is not there")
    if disk.kind not in FIT:
        return warned(f"{where}, of which nothing is known")
    return passed(where)


def disk_data_root(host: Subject) -> Judged:
    disk = host.disk(host.data_root)
    if disk is None:
        return warned(f"the host does not tell how much room {host.data_root} has")
    return _room(host.data_root, disk, DATA_ROOT_KIB)


def disk_logs(host: Subject) -> Judged:
    found = [
        _room(part.logs.host, disk, LOGS_KIB)
        for part in host.parts.values()
        if (disk := host.disk(part.logs.host))
    ]
    if not found:
        return passed("no part is to run here" if not host.parts else "not told")
    return min(found, key=lambda judged: ("fail", "warn", "pass").index(judged.verdict))


def _room(path: str, disk: Disk, bounds_kib: tuple[int, int]) -> Judged:
    too_little, little = bounds_kib
    has_inodes = disk.total_inodes > 0
    found = f"{path} has {_size(disk.free_kib)} free of {_size(disk.total_kib)}"
    if has_inodes and disk.free_inodes < INODES[1]:
        found += f", and {disk.free_inodes} inodes"
    if disk.free_kib < too_little or (has_inodes and disk.free_inodes < INODES[0]):
        return failed(f"{found}, expected {_size(too_little)} and {INODES[0]} inodes at the least")
    if disk.free_kib < little or (has_inodes and disk.free_inodes < INODES[1]):
        return warned(f"{found}, less than {_size(little)} or {INODES[1]} inodes")
    return passed(found)


def _size(kib: int) -> str:
    return f"{kib / GIB:.1f} GiB" if kib >= GIB else f"{kib // MIB} MiB"


def memory(host: Subject) -> Judged:
    total = host.fitness.memory_kib
    if total is None:
        return passed("not told")
    if total < MEMORY_KIB:
        return failed(f"{_size(total)}, expected {_size(MEMORY_KIB)} at the least")
    limits = sum(part.memory_mb or 0 for part in host.parts.values()) * MIB
    if limits + ENGINE_KIB > total:
        return warned(f"{_size(total)}, but the parts may take {_size(limits)} and the engine more")
    available = host.fitness.available_kib
    return passed(f"{_size(total)}" + (f", {_size(available)} available" if available else ""))


def clock_skew(host: Subject) -> Judged:
    skew = host.observed.clock_skew_s
    if skew is None:
        return passed("not told")
    if abs(skew) <= SKEW_S[0]:
        return passed("in time")
    found = f"the clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return failed(found) if abs(skew) > SKEW_S[1] else warned(found)


def selinux(host: Subject) -> Judged:
    mode = host.fitness.selinux
    config = host.wanted.docker_engine.config
    if mode != "enforcing" or not config.get("selinux-enabled"):
        return passed(f"{mode or 'off'}" + ("" if mode != "enforcing" else ", not in the engine"))
    paths = ", ".join(mount.host for part in host.parts.values() for mount in part.mounts)
    return warned(f"enforcing in the engine too; containers write to {paths or 'no directory'}")


def apparmor(host: Subject) -> Judged:
    if host.fitness.has_apparmor and not host.fitness.has_apparmor_parser:
        return warned("the kernel has it, but apparmor_parser is not installed")
    return passed("enabled" if host.fitness.has_apparmor else "off")


def conflicting_packages(host: Subject) -> Judged:
    foreign = [*host.fitness.conflicting, *(n for n in STAND_INS if n in host.observed.packages)]
    if foreign:
        return failed(f"{', '.join(foreign)}, which takes the engine's place")
    spec, engine = host.wanted.docker_engine, installed_engine(host.observed)
    wanted = [name for name in packages_of(spec, host.observed) if name in COMPANIONS]
    if wanted and engine not in (None, wanted[0]):
        return warned(f"{engine} of another source than '{spec.source}', which replaces it")
    return passed("none")
