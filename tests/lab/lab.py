"""A lab: a few test hosts on a network of their own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tests.lab import base, claims, machine
from tests.lab.command import LabError, run, say
from tests.lab.files import lock, remove_tree, write_atomically
from tests.lab.host import RECORD, HostSpec, LabHost
from tests.lab.network import Network

T = TypeVar("T")

NAME = re.compile(r"[a-z][a-z0-9-]*")
APP_ADDRESS, REGISTRY_ADDRESS, EXTRA_ADDRESS = 11, 31, 101
MAX_APPS, MAX_REGISTRIES = 20, 70


class Lab:
    """The lab with this name, running or not. Making the object only reads its state."""

    def __init__(self, name: str = "lab") -> None:
        if not NAME.fullmatch(name):
            raise LabError(f"{name!r}: a lab's name has lower case letters, digits and hyphens")
        self.name = name
        self.network: Network | None = None
        self.hosts: list[LabHost] = []
        self._read_state()

    @staticmethod
    def root() -> Path:
        """Return the directory of all labs (DOCKYARD_LAB_DIR)."""
        return Path(os.environ.get("DOCKYARD_LAB_DIR", "/var/lib/dockyard-lab")).absolute()

    @classmethod
    def all(cls) -> list[Lab]:
        """Return the labs of this machine, also those that a crash has left."""
        return [cls(state.parent.name) for state in sorted(cls.root().glob("*/lab.json"))]

    @property
    def directory(self) -> Path:
        return self.root() / self.name

    @property
    def private_key(self) -> Path:
        """The key (ed25519) that every host lets in: as root, ops, deployer and guest."""
        return self.directory / "keys" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The keys that the hosts show, made before their first boot."""
        return self.directory / "known_hosts"

    def __getitem__(self, name: str) -> LabHost:
        for host in self.hosts:
            if host.name == name:
                return host
        names = ", ".join(host.name for host in self.hosts) or "none, up makes them"
        raise LabError(f"{name}: no such host in lab {self.name} (hosts: {names})")

    def up(
        self,
        hosts: int = 3,
        registry: int = 1,
        release: str = "mixed",
        with_docker: bool = False,
    ) -> None:
        """Bring the lab to this shape and return when every host answers SSH.

        Hosts that run and match are left alone, those that are stopped boot with the disk they
        have, others are made anew. Raises LabError with everything that failed.
        """
        machine.require()
        with self._lock():
            self._read_state()
            network = self._join_network()
            flavours = ("docker",) if with_docker else ()
            shape = _shape(network, hosts, registry, release, flavours)
            self._converge([*shape, *(host.spec for host in self.hosts if host.spec.extra)])

    def add(
        self,
        name: str,
        release: str = "bookworm",
        with_docker: bool = False,
        groups: Iterable[str] = (),
        setarch: Iterable[str] = (),
        flavours: Iterable[str] = (),
        docker_disk_mb: int | None = None,
    ) -> LabHost:
        """Add a host beside the lab's usual ones and return it, booted.

        ``flavours`` are of base.FLAVOURS, the lowest layer first: ``["rpm"]``, ``["sysvinit"]``,
        ``["sysvinit", "docker"]``. ``with_docker`` is the same as "docker" at their end. With
        ``docker_disk_mb`` its /var/lib/docker is an ext4 file system of its own of that size.
        ``setarch`` makes it one that the product must refuse: ``["x86_64", "--uname-2.6"]`` is a
        host with a kernel 2.6, ``["i686"]`` one with 32 bits, as far as uname can tell.
        """
        if not NAME.fullmatch(name):
            raise LabError(f"{name!r}: a host's name has lower case letters, digits and hyphens")
        kinds = tuple(flavours) + (("docker",) if with_docker else ())
        base.check_kind(release, kinds)
        machine.require()
        with self._lock():
            self._read_state()
            network = self._join_network()
            others = [host.spec for host in self.hosts if host.name != name]
            used = {spec.address for spec in others}
            free = (network.address(last) for last in range(EXTRA_ADDRESS, 255))
            address = next(address for address in free if address not in used)
            spec = HostSpec(
                name=name,
                release=release,
                address=address,
                groups=tuple(groups),
                flavours=kinds,
                docker_disk_mb=docker_disk_mb,
                extra=True,
                setarch=tuple(setarch),
            )
            self._converge([*others, spec])
        return self[name]

    def remove(self, name: str) -> None:
        """Take one host away, with its disk."""
        machine.require_root()
        with self._lock():
            self._read_state()
            self._converge([host.spec for host in self.hosts if host.name != name])

    def reset(self, *names: str, with_docker: bool = False) -> None:
        """Make these hosts (without names: all) bare again, side by side."""
        hosts = [self[name] for name in names] if names else self.hosts
        machine.require()
        with self._lock():
            _in_parallel(lambda host: host.reset(with_docker), hosts)

    def down(self) -> None:
        """Remove the hosts, their disks and the network, also what a crash has left."""
        machine.require_root()
        with self._lock():
            self._read_state()
            _in_parallel(LabHost.wipe, self.hosts)
            if self.network:
                self.network.down()
            claims.release(self.directory)
            remove_tree(self.directory)
            self.hosts, self.network = [], None

    def base_image(self, release: str = "bookworm") -> Path:
        """Return the tar of a slim Debian for ``docker import``; made on first use."""
        machine.require()
        return base.image(release)

    def _converge(self, wanted: Sequence[HostSpec]) -> None:
        """Make the lab's hosts those of ``wanted``."""
        network = self._join_network()
        kinds = sorted({(spec.release, spec.flavours) for spec in wanted})
        _in_parallel(lambda kind: base.host_layers(*kind), kinds)
        current = {host.name: host for host in self.hosts}
        names = {spec.name for spec in wanted}
        _in_parallel(LabHost.wipe, [host for host in self.hosts if host.name not in names])
        self.hosts = [current.get(spec.name) or self._host(spec) for spec in wanted]
        self._make_keys()
        network.up()

        def bring_up(host: LabHost, spec: HostSpec) -> None:
            if host.is_installed and host.spec == replace(spec, layers=host.spec.layers):
                host.boot()
            else:
                host.make(spec)

        if stopped := [host.name for host in self.hosts if not host.is_running]:
            say(f"lab {self.name}: booting {', '.join(stopped)}")
        _in_parallel(lambda pair: bring_up(*pair), list(zip(self.hosts, wanted, strict=True)))

    def _read_state(self) -> None:
        self.network, self.hosts = None, []
        if self._state.exists():
            self.network = Network(json.loads(self._state.read_text())["subnet"])
            records = (self.directory / "hosts").glob(f"*/{RECORD}")
            specs = [HostSpec.read(record.parent) for record in records]
            self.hosts = [self._host(spec) for spec in sorted(specs, key=_last_octet)]

    def _join_network(self) -> Network:
        """Return the lab's subnet; it keeps the one that it has."""
        number = claims.claim(self.directory, self.network.number if self.network else None)
        self.network = Network(number)
        write_atomically(self._state, json.dumps({"subnet": number}) + "\n")
        return self.network

    def _host(self, spec: HostSpec) -> LabHost:
        assert self.network is not None
        directory = self.directory / "hosts" / spec.name
        return LabHost(spec, directory, self.network, self.private_key, self.known_hosts)

    def _make_keys(self) -> None:
        self.private_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for key in [self.private_key, *(host.host_key for host in self.hosts)]:
            if not _public(key).exists():
                key.unlink(missing_ok=True)
                comment = f"{self.name}-lab"
                run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)])
        lines = []
        for host in self.hosts:
            algorithm, key_text, _ = _public(host.host_key).read_text().split()
            lines.append(f"{host.address},{host.name} {algorithm} {key_text}\n")
        write_atomically(self.known_hosts, "".join(lines))

    @property
    def _state(self) -> Path:
        return self.directory / "lab.json"

    def _lock(self) -> AbstractContextManager[None]:
        return lock(self.root() / f".{self.name}.lock")


def _shape(
    network: Network, hosts: int, registry: int, release: str, flavours: tuple[str, ...]
) -> list[HostSpec]:
    """Return the usual hosts: engines and proxies, and registries of which one is also a caller."""
    if release not in (*base.RELEASES, "mixed"):
        known = ", ".join([*base.RELEASES, "mixed"])
        raise LabError(f"release {release!r} is unknown (known: {known})")
    if not 0 <= hosts <= MAX_APPS or not 0 <= registry <= MAX_REGISTRIES:
        raise LabError(f"a lab has up to {MAX_APPS} hosts and {MAX_REGISTRIES} registries")
    releases = base.MIXED if release == "mixed" else (release,)
    apps = [
        HostSpec(
            name=f"app-{i + 1}",
            release=releases[i % len(releases)],
            address=network.address(APP_ADDRESS + i),
            groups=("engine", "proxy"),
            flavours=flavours,
        )
        for i in range(hosts)
    ]
    registries = [
        HostSpec(
            name=f"registry-{i + 1}",
            release=releases[0],
            address=network.address(REGISTRY_ADDRESS + i),
            groups=("registry",) if i else ("registry", "sdk"),
            flavours=flavours,
        )
        for i in range(registry)
    ]
    return apps + registries


def _last_octet(spec: HostSpec) -> int:
    return int(spec.address.rpartition(".")[2])


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def _in_parallel(work: Callable[[T], object], items: Sequence[T]) -> None:
    """Do the work for all items side by side; afterwards raise LabError with all that failed."""
    if not items:
        return
    with ThreadPoolExecutor(max_workers=min(len(items), 16)) as pool:
        futures = [pool.submit(work, item) for item in items]
    errors = [error for future in futures if (error := future.exception())]
    for error in errors:
        if not isinstance(error, LabError):
            raise error
    if errors:
        raise LabError("\n".join(str(error) for error in errors))
