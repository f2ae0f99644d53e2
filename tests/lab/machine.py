"""What the machine offers that the lab runs on: programs, package mirror, cgroups, resolver."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.lab.claims import RUN
from tests.lab.command import LabError, run
from tests.lab.files import lock

PROGRAMS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "setarch": "util-linux",
    "setsid": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "tar": "tar",
    "unshare": "util-linux",
}
PACKAGING = {
    "apt-ftparchive": "apt-utils",
    "createrepo_c": "createrepo-c",
    "dpkg-deb": "dpkg",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "gpgconf": "gpgconf",
    "rpmbuild": "rpm",
    "rpmsign": "rpm",
}
"""What builds packages and repositories; installed when a test wants some."""
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class AptSource:
    """One line of apt's sources for any release: ``suffix`` is "", "-updates" or "-security"."""

    uri: str
    suffix: str

    def line(self, release: str) -> str:
        return f"deb {self.uri} {release}{self.suffix} main"


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network interfaces, mounts and namespaces")


def require() -> None:
    """Install the programs that are missing, or raise LabError with everything that is."""
    require_root()
    missing = [f"kernel namespace {name}" for name in NAMESPACES if not _has_namespace(name)]
    missing += _missing_filesystem()
    missing += _missing_programs()
    if missing:
        raise LabError(f"the lab can't run on this machine, it lacks: {', '.join(missing)}")
    probe = run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], check=False)
    if probe.returncode != 0:
        raise LabError(f"the lab can't make namespaces on this machine: {probe.stderr.strip()}")


def require_programs(programs: dict[str, str]) -> None:
    """Install those programs (name to package) that are missing, or raise LabError."""
    if missing := _install(programs):
        raise LabError(f"this machine lacks: {', '.join(missing)}")


@cache
def apt_sources() -> list[AptSource]:
    """Return where this machine gets its Debian packages from; DOCKYARD_LAB_MIRROR overrides it."""
    if mirror := os.environ.get("DOCKYARD_LAB_MIRROR"):
        return [AptSource(mirror, ""), AptSource(mirror, "-updates")]
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    columns = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    listing = run(["apt-get", "indextargets", "--format", columns, "Created-By: Packages"]).stdout
    sources: dict[str, AptSource] = {}
    for line in listing.splitlines():
        uri, release, component = line.split()
        suffix = release.removeprefix(codename)
        if component == "main" and suffix in ("", "-updates", "-security"):
            sources.setdefault(suffix, AptSource(uri, suffix))
    if "" not in sources or platform.freedesktop_os_release().get("ID") != "debian":
        raise LabError(
            "apt names no Debian mirror on this machine; set DOCKYARD_LAB_MIRROR to the one to use"
        )
    return [sources[suffix] for suffix in sorted(sources)]


@cache
def apt_settings() -> str:
    """Return those of this machine's apt settings without which its mirror can't be used."""
    names = ["Check-Valid-Until", "Check-Date", "http::Proxy", "https::Proxy"]
    dump = ["apt-config", "dump", "--format", '%f "%v";%n']
    return run(dump + [f"Acquire::{name}" for name in names]).stdout


def has_cgroup_v1() -> bool:
    """Tell whether controllers are mounted the old way, one hierarchy each."""
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def has_ipv6() -> bool:
    """Tell whether a new interface gets addresses of IPv6."""
    settings = Path("/proc/sys/net/ipv6/conf")
    switches = [settings / name / "disable_ipv6" for name in ("all", "default")]
    return all(switch.exists() and switch.read_text().strip() == "0" for switch in switches)


def resolv_conf() -> str:
    """Return resolver settings that also hold in another network namespace."""
    text = Path("/etc/resolv.conf").read_text()
    upstream = Path("/run/systemd/resolve/resolv.conf")
    if "nameserver 127." in text and upstream.exists():
        return upstream.read_text()
    return text


def uplink_mtu() -> int:
    """Return the MTU of the interface of the default route (bytes); 1500 without one."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, *_ = line.split()
        if destination == "00000000":
            return int(Path(f"/sys/class/net/{interface}/mtu").read_text())
    return 1500


def _has_namespace(name: str) -> bool:
    return Path(f"/proc/self/ns/{name}").exists()


def _missing_filesystem() -> list[str]:
    def known() -> bool:
        return "\toverlay\n" in Path("/proc/filesystems").read_text()

    if not known() and shutil.which("modprobe"):
        run(["modprobe", "overlay"], check=False)
    return [] if known() else ["kernel file system overlay"]


def _missing_programs() -> list[str]:
    missing = _install(PROGRAMS)
    if not KEYRING.exists():
        _apt_install(["debian-archive-keyring"])
    return (
        missing if KEYRING.exists() else [*missing, f"{KEYRING} (package debian-archive-keyring)"]
    )


def _install(programs: dict[str, str]) -> list[str]:
    """Install the programs that are missing, and return those that still are."""

    def missing() -> dict[str, str]:
        return {name: package for name, package in programs.items() if not shutil.which(name)}

    if missing():
        with lock(RUN / "apt.lock"):  # apt-get itself gives up at once while another one runs
            if packages := sorted(set(missing().values())):
                _apt_install(packages)
    return [f"{name} (package {package})" for name, package in missing().items()]


def _apt_install(packages: list[str]) -> None:
    if shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "-q", "update"], env=env)
        run(["apt-get", "-qy", "install", "--no-install-recommends", *packages], env=env)
