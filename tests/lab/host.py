"""One test host: a systemd-nspawn machine with an init, an SSH server and an address of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from tests.lab import base, cgroups, machine
from tests.lab.command import LabError, run
from tests.lab.files import overlay_options, remove_tree, write_atomically
from tests.lab.network import Network, delete_interface

SUPERVISE = base.SCRIPTS / "supervise.sh"
RECORD = "host.json"
BOOT_TIMEOUT_S = 90
STOP_TIMEOUT_S = 120
SYSTEMD = (signal.SIGRTMIN + 4, signal.SIGRTMIN + 5)
SYSVINIT = (signal.SIGPWR, signal.SIGINT)
"""How PID 1 is told to power off and to reboot; SYSVINIT as its inittab says."""


@dataclass(frozen=True)
class HostSpec:
    """What a host is; recorded beside its disk."""

    name: str
    release: str
    address: str
    groups: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()  # what it is beside bare, the lowest layer first
    docker_disk_mb: int | None = None  # /var/lib/docker is a disk of its own of this size
    extra: bool = False  # added to the lab's usual shape
    setarch: tuple[str, ...] = ()  # arguments of setarch(8): what kernel and machine it believes in
    layers: tuple[str, ...] = ()  # the file systems below its disk, topmost first

    @property
    def with_docker(self) -> bool:
        return "docker" in self.flavours

    @classmethod
    def read(cls, directory: Path) -> HostSpec:
        record = json.loads((directory / RECORD).read_text())
        if record.pop("with_docker", False):  # as labs recorded it that are still up
            record["flavours"] = ("docker",)
        names = ("groups", "flavours", "setarch", "layers")
        return cls(**{**record, **{name: tuple(record.get(name, ())) for name in names}})

    def write(self, directory: Path) -> None:
        write_atomically(directory / RECORD, json.dumps(asdict(self), indent=2) + "\n")


@dataclass
class LabHost:
    """A host of a lab. ``directory`` holds its disk, keys and console log."""

    spec: HostSpec
    directory: Path
    network: Network
    private_key: Path
    known_hosts: Path
    _leader: tuple[int, str] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def address(self) -> str:
        return self.spec.address

    @property
    def address6(self) -> str | None:
        """Its address of IPv6; None where the machine has that off."""
        return self.network.address6(self.address) if machine.has_ipv6() else None

    @property
    def release(self) -> str:
        return self.spec.release

    @property
    def groups(self) -> tuple[str, ...]:
        return self.spec.groups

    @property
    def upper(self) -> Path:
        """What the host has changed since it was bare (the overlay's upper directory)."""
        return self.directory / "upper"

    @property
    def root(self) -> Path:
        """The file system of the running host, as its own processes see it."""
        leader = self.leader_pid
        if leader is None:
            raise LabError(f"{self.name}: is not running, so its file system is not mounted")
        return Path(f"/proc/{leader}/root")

    @property
    def is_installed(self) -> bool:
        """Whether it has a complete disk, and the file systems below that are there."""
        layers = [Path(layer) for layer in self.spec.layers]
        return self._mount_point.exists() and all(layer.exists() for layer in layers)

    @property
    def _signals(self) -> tuple[int, int]:
        return SYSVINIT if "sysvinit" in self.spec.flavours else SYSTEMD

    @property
    def _docker_disk(self) -> Path:
        return self.directory / "docker.img"

    @property
    def _mount_point(self) -> Path:
        return self.directory / "root"

    @property
    def console_log(self) -> Path:
        return self.directory / "console.log"

    @property
    def machine(self) -> str:
        """Its name on this machine, unique among labs; an interface's name has 12 letters left."""
        name = f"{self.network.number}-{self.name}"
        digest = sha256(self.name.encode()).hexdigest()[:8]
        return name if len(name) <= 12 else f"{self.network.number}-{digest}"

    @property
    def veth(self) -> str:
        return f"vb-{self.machine}"

    @property
    def leader_pid(self) -> int | None:
        """The host's PID 1, as this machine numbers it; None if the host is not running."""
        if self._leader and _start_time(self._leader[0]) == self._leader[1]:
            return self._leader[0]
        for pid in cgroups.pids(self.machine):
            if _is_init(pid) and (started := _start_time(pid)):
                self._leader = (pid, started)
                return pid
        return None

    @property
    def is_running(self) -> bool:
        return self.leader_pid is not None

    def run(
        self,
        command: str,
        *,
        check: bool = True,
        timeout_s: float = 60,
        user: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on the host over SSH, as root or as ``user``.

        Raises LabError if it fails (unless ``check`` is off) or exceeds ``timeout_s``. The host's
        key must be the one that the lab made.
        """
        argv = [*self.ssh_command(user), command]
        result = run(argv, check=False, timeout_s=timeout_s)
        if check and result.returncode != 0:
            output = (result.stdout + result.stderr).strip()
            raise LabError(f"{self.name}: {command}: exit status {result.returncode}\n{output}")
        return result

    def feed(self, content: bytes | Path, command: str, timeout_s: float = 120) -> None:
        """Run a shell command on the host as root, with a file or bytes on its standard input."""
        given = content if isinstance(content, bytes) else content.read_bytes()
        argv = [*self.ssh_command(), command]
        result = subprocess.run(argv, input=given, capture_output=True, timeout=timeout_s)
        if result.returncode != 0:
            output = result.stderr.decode(errors="replace")
            raise LabError(f"{self.name}: {command}: exit status {result.returncode}\n{output}")

    def ssh_command(self, user: str | None = None) -> list[str]:
        """Return the ssh program with all options that reach this host, without a command."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.known_hosts),
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        login = f"{user or 'root'}@{self.address}"
        return ["ssh", "-F", "/dev/null", "-i", str(self.private_key), *flags, login]

    def boot(self, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Start the host and return when it answers SSH; one that runs is left alone."""
        if not self._supervisors():
            self.kill()
            self._start()
        self.wait_for_ssh(timeout_s)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Shut the host down cleanly; its disk stays."""
        if leader := self.leader_pid:
            os.kill(leader, self._signals[0])
            self._wait_until_gone(timeout_s)
        self._clean_up()

    def kill(self) -> None:
        """Cut the power: every process of the host ends at once; its disk stays."""
        leader = self.leader_pid
        # The supervisor first, or it would start the host again; nspawn itself is left to clean up.
        for pid in self._supervisors():
            _kill(pid)
        if leader:
            _kill(leader)
        self._clean_up()

    def reboot(self, timeout_s: float = STOP_TIMEOUT_S + BOOT_TIMEOUT_S) -> None:
        """Restart the host cleanly and return when it answers again."""
        if (leader := self.leader_pid) is None:
            raise LabError(f"{self.name}: is not running")
        os.kill(leader, self._signals[1])
        self.wait_for_reboot(leader, timeout_s)

    def wait_for_reboot(self, leader: int, timeout_s: float) -> None:
        """Return when the host whose PID 1 was ``leader`` has another one and answers SSH."""
        deadline = time.monotonic() + timeout_s
        while self.leader_pid in (leader, None):
            if not cgroups.pids(self.machine):
                raise LabError(f"{self.name}: went down and did not come back\n{self._console()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: has not rebooted after {timeout_s} s")
            time.sleep(0.05)
        self.wait_for_ssh(deadline - time.monotonic())

    def reset(self, with_docker: bool = False) -> None:
        """Make it a new host: cut the power, wipe the disk, boot. Its SSH keys stay.

        It stays one with "rpm" or "sysvinit", and has Docker only ``with_docker``.
        """
        flavours = tuple(flavour for flavour in self.spec.flavours if flavour != "docker")
        self.make(replace(self.spec, flavours=(*flavours, "docker") if with_docker else flavours))

    def make(self, spec: HostSpec) -> None:
        """Make it what ``spec`` says, from an empty disk, and boot it."""
        layers = base.host_layers(spec.release, spec.flavours)
        self.wipe()
        self.spec = replace(spec, layers=tuple(str(layer) for layer in layers))
        self._install()
        self.boot()

    def wipe(self) -> None:
        """Cut the power and remove the disk."""
        self.kill()
        remove_tree(self.directory)

    def wait_for_ssh(self, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Return when the host answers SSH and lets every user in."""
        deadline = time.monotonic() + timeout_s
        while not _is_ssh(self.address):
            if not cgroups.pids(self.machine):
                raise LabError(f"{self.name}: has ended while it booted\n{self._console()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: no SSH after {timeout_s:.0f} s\n{self._console()}")
            time.sleep(0.05)
        self.run("while [ -e /run/nologin ]; do sleep 0.05; done", timeout_s=timeout_s)

    def _supervisors(self) -> list[int]:
        return [pid for pid in cgroups.pids(self.machine) if _is_supervisor(pid)]

    def _start(self) -> None:
        upper, work, root = self.upper, self.directory / "work", self._mount_point
        groups = [str(directory / "cgroup.procs") for directory in cgroups.create(self.machine)]
        overlay = overlay_options(self.spec.layers, upper, work)
        disk = str(self._docker_disk) if self.spec.docker_disk_mb else ""
        supervise = ["sh", str(SUPERVISE), overlay, str(root), disk, str(self.directory / "docker")]
        supervise += [self.veth, *self._nspawn(root)]
        # The shell joins the control groups and then becomes the supervisor's parent: when it has
        # ended, the supervisor is where cgroups.pids() looks for it.
        join = "".join(f"echo $$ > {shlex.quote(group)}; " for group in groups)
        isolate = ["setsid", "--fork", "unshare", "--mount", "--propagation", "slave", "--"]
        argv = ["sh", "-c", f'set -e; {join} exec "$@"', "sh", *isolate, *supervise]
        with self.console_log.open("ab") as log:
            result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if result.returncode != 0:
            raise LabError(f"{self.name}: can't be started\n{self._console()}")

    def _nspawn(self, root: Path) -> list[str]:
        argv = ["setarch", *self.spec.setarch] if self.spec.setarch else []
        argv += ["systemd-nspawn", "--quiet", "--boot", f"--directory={root}"]
        argv += [f"--machine={self.machine}", f"--hostname={self.name}"]
        argv += ["--register=no", "--keep-unit", "--private-users=no", "--capability=all"]
        argv.append("--drop-capability=CAP_SYS_TIME")  # the clock is the whole machine's
        argv += ["--system-call-filter=add_key keyctl bpf"]  # Docker needs them
        argv += [f"--network-bridge={self.network.bridge}", "--console=pipe"]
        argv += ["--resolv-conf=off", "--timezone=off", "--link-journal=no"]
        for directory in ("docker", "containerd"):  # overlay2 does not stack on an overlay
            argv.append(f"--bind={self.directory / directory}:/var/lib/{directory}")
        if machine.has_cgroup_v1():  # systemd 256 and later refuse to boot there without
            argv += ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0"]
        return argv

    def _install(self) -> None:
        """Make the disk of a bare host: empty, with this host's identity."""
        self.spec.write(self.directory)
        for name in ("upper", "work", "docker", "containerd"):
            (self.directory / name).mkdir()
        name = self.name
        self._write("/etc/hostname", f"{name}\n")
        # As Debian's installer leaves it: the host's name leads to an address that nobody can use.
        self._write("/etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n")
        self._write("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
        self._write("/etc/resolv.conf", machine.resolv_conf())
        if self.spec.docker_disk_mb:
            run(["truncate", f"--size={self.spec.docker_disk_mb}M", str(self._docker_disk)])
            run(["mkfs.ext4", "-q", "-m", "0", str(self._docker_disk)])
        self._write(*self._network_settings())
        if "Proxy" in machine.apt_settings() and "rpm" not in self.spec.flavours:
            direct = f'Acquire::http::Proxy::{self.network.gateway} "DIRECT";\n'
            self._write("/etc/apt/apt.conf.d/91lab", direct)
        for suffix, mode in (("", 0o600), (".pub", 0o644)):
            key = self.host_key.with_name(self.host_key.name + suffix)
            self._write(f"/etc/ssh/ssh_host_ed25519_key{suffix}", key.read_text(), mode)
        public_key = self.private_key.with_suffix(".pub").read_text()
        for home in ("/root", "/home/ops", "/home/deployer", "/home/guest"):
            self._write(f"{home}/.ssh/authorized_keys", public_key, 0o600)
        self._mount_point.mkdir()  # last: a disk with a mount point is complete

    def _network_settings(self) -> tuple[str, str]:
        """Return the file that gives the host its fixed addresses, and its text.

        Without detection of duplicates, which would have an address wait for a second.
        """
        address, gateway, mtu = f"{self.address}/24", self.network.gateway, machine.uplink_mtu()
        address6 = f"{self.address6}/64" if self.address6 else None
        if "sysvinit" in self.spec.flavours:
            text = "auto lo\niface lo inet loopback\n\nauto host0\niface host0 inet static\n"
            text += f"    address {address}\n    gateway {gateway}\n    mtu {mtu}\n"
            if address6:
                text += f"\niface host0 inet6 static\n    address {address6}\n"
                text += "    dad-attempts 0\n    accept_ra 0\n    autoconf 0\n"
            return "/etc/network/interfaces", text
        text = f"[Match]\nName=host0\n\n[Link]\nMTUBytes={mtu}\n\n"
        text += f"[Network]\nAddress={address}\nGateway={gateway}\nIPv6AcceptRA=no\nLLDP=no\n"
        if address6:
            text += "LinkLocalAddressing=ipv6\nIPv6DuplicateAddressDetection=0\n\n"
            text += f"[Address]\nAddress={address6}\nDuplicateAddressDetection=none\n"
        else:
            text += "LinkLocalAddressing=no\n"
        return "/etc/systemd/network/10-host0.network", text

    @property
    def host_key(self) -> Path:
        """The private half of the key that the host shows; kept beside its disk."""
        return self.private_key.parent / f"{self.name}_host_ed25519"

    def _write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of a host that is not running; new directories get their parent's owner."""
        owner = (0, 0)
        target = self.upper
        for part in Path(path).parent.parts[1:]:
            target /= part
            if below := self._below(target):
                owner = (below.st_uid, below.st_gid)
            if not target.exists():
                target.mkdir()
                target.chmod(below.st_mode & 0o7777 if below else 0o700)
                shutil.chown(target, *owner)
        file = self.upper / path.lstrip("/")
        write_atomically(file, text, mode)
        shutil.chown(file, *owner)

    def _below(self, path: Path) -> os.stat_result | None:
        for layer in self.spec.layers:
            with contextlib.suppress(FileNotFoundError):
                return (Path(layer) / path.relative_to(self.upper)).lstat()
        return None

    def _wait_until_gone(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while cgroups.pids(self.machine):
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: still runs after {timeout_s} s\n{self._console()}")
            time.sleep(0.02)

    def _clean_up(self) -> None:
        """Remove what a host that is not running left on the machine, however it ended."""
        with contextlib.suppress(LabError):
            self._wait_until_gone(5)
        for pid in cgroups.pids(self.machine):
            _kill(pid)
        self._wait_until_gone(10)
        cgroups.remove(self.machine)
        delete_interface(self.veth)
        for directory in ("propagate", "unix-export"):
            with contextlib.suppress(FileNotFoundError):
                Path("/run/systemd/nspawn", directory, self.machine).rmdir()

    def _console(self) -> str:
        if not self.console_log.exists():
            return ""
        return "\n".join(self.console_log.read_text(errors="replace").splitlines()[-20:])


def _is_ssh(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_supervisor(pid: int) -> bool:
    return str(SUPERVISE) in _read(pid, "cmdline").split("\0")


def _is_init(pid: int) -> bool:
    """Tell whether a process is PID 1 of a namespace just below ours (not of a container in it)."""
    for line in _read(pid, "status").splitlines():
        if line.startswith("NSpid:"):
            return line.split()[2:] == ["1"]
    return False


def _start_time(pid: int) -> str | None:
    """Return when a process started; None if there is none, or if it only waits to be reaped."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else None


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
