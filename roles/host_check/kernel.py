"""Checks of the kernel and of what the system is."""

from __future__ import annotations

from datetime import date

from roles.docker_engine.versions import numbers
from roles.host_check.finding import Judged, Subject, failed, passed, warned
from roles.host_check.resolve import (
    OTHER_MACHINE,
    is_packaged,
    kernel_version,
    newer_kernel,
    of_kernel,
    of_machine,
    of_release,
)
from roles.host_check.versions import ENDS

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts")
OPTION_OF_NAMESPACE = {
    "mnt": "NAMESPACES",
    "pid": "PID_NS",
    "net": "NET_NS",
    "ipc": "IPC_NS",
    "uts": "UTS_NS",
}
TELLS_ALL_NAMESPACES = (3, 8)
"""Older kernels do not list all of them in /proc/self/ns."""

CONTROLLERS = ("cpu", "cpuset", "memory")
CONTROLLERS_V1 = (*CONTROLLERS, "devices", "freezer")
"""Under v2 these two are part of the kernel's core."""

ROOT_KEYS = 10_000
RAISES_KEYS = (1, 12)
"""Engines from 1.12 on raise root's quota of keys to 1,000,000 themselves."""

INITS = ("systemd", "init")
"""As process 1 is called; the second is sysvinit."""
WORDS = {"x86_64": 64, "aarch64": 64, "ppc64le": 64, "s390x": 64, "riscv64": 64}


def architecture(host: Subject) -> Judged:
    o = host.observed
    newest, rule = of_machine(o.architecture, o.os_id, o.os_like)
    if newest is None:
        return failed(f"{o.architecture}: {rule}", OTHER_MACHINE)
    if rule and numbers(host.engine) > numbers(newest):
        text = f"{o.architecture} runs engines up to {newest}, wanted {host.engine}: {rule}"
        return failed(text, f'set docker_engine.version = "{newest}"')
    return passed(o.architecture)


def userland(host: Subject) -> Judged:
    expected, found = WORDS.get(host.observed.architecture), host.observed.userland_bits
    if expected is None or found == expected:
        return passed(f"{found}-bit programs" if found else "not told")
    return failed(
        f"expected a {expected}-bit userland, found {found}-bit programs on a "
        f"{host.observed.architecture} kernel"
    )


def kernel(host: Subject) -> Judged:
    o = host.observed
    if not kernel_version(o.kernel):
        return failed(f"'{o.kernel}' is no kernel's version", "see what `uname -r` prints there")
    newest, rule = of_kernel(o.kernel, o.os_id, o.os_like)
    remedy = newer_kernel(o.os_id, o.os_like, o.os_version, o.architecture)
    if newest is None:
        return failed(f"{o.kernel} runs no engine: {rule}", remedy)
    if rule is None or numbers(host.engine) <= numbers(newest):
        return passed(o.kernel if rule is None else f"{o.kernel}, for engine {host.engine}")
    return failed(
        f"{o.kernel} can't run engine {host.engine}; the newest that is safe there is {newest}: "
        f"{rule}",
        f'{remedy}; or set docker_engine.version = "{newest}"',
    )


def init(host: Subject) -> Judged:
    found = host.observed.init
    if found in INITS:
        return passed(found)
    return failed(f"expected systemd or sysvinit, found {found}")


def end_of_life(host: Subject) -> Judged:
    o, rules = host.observed, host.resolution
    name = f"{o.os_id} {o.os_version}".strip() or "a system without a name"
    row = of_release(ENDS, o.os_id, o.os_like, o.os_version)
    if row and host.fitness.time_s is not None and date.fromisoformat(row.end) < host.today:
        last = f"; the last engine packaged for it is {rules.packaged}" if rules.packaged else ""
        return warned(f"{name} came to its end on {row.end}{last} (as documented in {row.source})")
    if not is_packaged(host.engine, rules):
        return warned(
            f"for {name} engines up to {rules.packaged} were packaged, wanted {host.engine}",
            f'set docker_engine.version = "{rules.packaged}", or upgrade the distribution',
        )
    return passed(f"{name}, until {row.end}" if row else name)


def namespaces(host: Subject) -> Judged:
    f = host.fitness
    missing = [name for name in NAMESPACES if name not in f.namespaces]
    if not missing:
        return passed(", ".join(NAMESPACES))
    if kernel_version(host.observed.kernel) < TELLS_ALL_NAMESPACES or not f.namespaces:
        absent = [name for name in missing if OPTION_OF_NAMESPACE[name] not in f.options]
        if f.options and not absent:
            return passed(", ".join(NAMESPACES))
        if not f.options or host.engine_runs:
            return _untold(host, "namespaces")
        missing = absent
    return failed(f"the kernel has no namespace of the kind {', '.join(missing)}")


def _untold(host: Subject, what: str) -> Judged:
    if host.engine_runs:
        return passed("an engine runs")
    return warned(f"the host does not tell which {what} its kernel has")


def user_namespace(host: Subject) -> Judged:
    f = host.fitness
    is_there = "user" in f.namespaces and f.sysctls.get("user.max_user_namespaces") != "0"
    if is_there or "userns-remap" not in host.wanted.docker_engine.config:
        return passed("there" if is_there else "not there, and not needed")
    return failed("docker_engine.config has userns-remap, but user namespaces are off")


def cgroups(host: Subject) -> Judged:
    o = host.observed
    oldest = host.resolution.oldest
    if o.cgroup_version is None:
        return failed("the kernel has no cgroups, or none are mounted")
    if oldest and numbers(host.engine) < numbers(oldest):
        return failed(
            f"the host has cgroup v{o.cgroup_version}, which needs engine {oldest} or newer, "
            f"wanted {host.engine}",
            "boot with `systemd.unified_cgroup_hierarchy=0`, or want a newer engine",
        )
    needed = CONTROLLERS if o.cgroup_version == 2 else CONTROLLERS_V1
    limits = [role for role, part in host.parts.items() if part.pids]
    missing = [c for c in (*needed, *(["pids"] if limits else [])) if c not in o.cgroup_controllers]
    if missing:
        return failed(f"the controllers {', '.join(missing)} are missing", _boot_option(missing))
    present = [c for c in (*needed, "pids") if c in o.cgroup_controllers]
    unmounted = [c for c in present if c not in host.fitness.mounted_controllers]
    if o.cgroup_version == 1 and unmounted:
        return failed(
            f"the controllers {', '.join(unmounted)} are not mounted",
            "install and start cgroupfs-mount, or cgconfig",
        )
    wished = ("pids", "io" if o.cgroup_version == 2 else "blkio")
    lacking = [c for c in wished if c not in o.cgroup_controllers]
    if lacking:
        return warned(f"the controllers {', '.join(lacking)} are missing; their limits do nothing")
    return passed(f"v{o.cgroup_version}")


def _boot_option(missing: list[str]) -> str | None:
    if "memory" in missing:
        return "add `cgroup_enable=memory` to the kernel's command line, and reboot"
    return None


def seccomp(host: Subject) -> Judged:
    found = host.fitness.has_seccomp
    if found is False:
        return warned("the kernel has no seccomp")
    return passed("there" if found else "not told")


def keys_quota(host: Subject) -> Judged:
    text = host.fitness.sysctls.get("kernel.keys.root_maxkeys", "")
    if not text.isdecimal() or int(text) >= ROOT_KEYS:
        return passed(text or "not told")
    if numbers(host.engine) >= RAISES_KEYS:
        return passed(f"{text}; the engine raises it when it starts")
    return warned(f"root may have {text} keys, and engine {host.engine} does not raise that")
