"""Where a host of the inventory is, as its connection will find it: address, way, pinned keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyinfra.api import Host
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.sshuserclient.client import SSHClient, get_host_keys, get_ssh_config

from roles.access import known_hosts
from roles.access.bastions import Hop
from roles.access.known_hosts import HostKey
from roles.run import whole_file

STRICT = "ssh_strict_host_key_checking"
USUAL = "~/.ssh/known_hosts"


@dataclass(frozen=True)
class Place:
    """A server of SSH, and the way to it."""

    address: str
    port: int
    via: tuple[Hop, ...] = ()
    known_hosts: str = USUAL
    """The file that its connection compares its key with."""
    hop_known_hosts: str = USUAL
    """The file for the bastions."""
    config: str | None = None
    """The ssh_config that the connection obeys; None: this account's own."""
    command: str | None = None
    """A ProxyCommand that leads there."""
    open_hops: tuple[str, ...] = ()
    """The bastions whose keys that ssh_config does not have checked strictly."""

    @property
    def name(self) -> str:
        """What it is called in known_hosts."""
        return known_hosts.name_of(self.address, self.port)

    @property
    def bastions(self) -> tuple[Place, ...]:
        """The places of the bastions on the way, the first one first."""
        return tuple(
            Place(
                hop.address,
                hop.port,
                self.via[:number],
                self.hop_known_hosts,
                self.hop_known_hosts,
                self.config,
                open_hops=tuple(str(one) for one in self.via if str(one) in self.open_hops),
            )
            for number, hop in enumerate(self.via)
        )

    @property
    def pins(self) -> tuple[HostKey, ...]:
        return known_hosts.pinned(read(self.known_hosts), self.name)

    def __str__(self) -> str:
        way = "".join(f", through {hop}" for hop in self.via)
        return f"{self.address} port {self.port}{way}"


class BadFile(Exception):
    """A known_hosts file can't be read; the text says why."""


def place_of(host: Host) -> Place | None:
    """Where SSH will reach a host; None where it is not reached by SSH."""
    if not isinstance(host.connector, SSHConnector):
        return None
    data = host.connector.data
    address, port = data["ssh_hostname"] or host.name, int(data["ssh_port"] or 0)
    config = get_ssh_config(data["ssh_config_file"])
    said = config.lookup(address) if config else {}
    files = said.get("userknownhostsfile", USUAL).split()
    hops: list[Hop] = []
    not_strict: list[str] = []
    their_files = files[0]
    for text in said.get("proxyjump", "").split(",") if "proxycommand" not in said else ():
        if not text or text == "none":
            continue
        name, found = SSHClient.derive_shorthand(config, text)
        one = Hop(name, int(found["port"]), found["username"])
        hops.append(one)
        its = config.lookup(name)
        their_files = its.get("userknownhostsfile", USUAL).split()[0]
        if its.get("stricthostkeychecking") != "yes":
            not_strict.append(str(one))
    return Place(
        said.get("hostname", address),
        port or int(said.get("port", known_hosts.SSH_PORT)),
        tuple(hops),
        data["ssh_known_hosts_file"] or files[0],
        their_files,
        data["ssh_config_file"],
        said.get("proxycommand"),
        tuple(not_strict),
    )


def be_strict(host: Host) -> None:
    """Have a host's connection refuse each key that is not pinned, whatever the inventory says."""
    host.connector.data[STRICT] = "yes"


def read(path: str) -> str:
    """Return a known_hosts file's text; none where there is no such file.

    Raises:
        BadFile: it can't be read.
    """
    file = Path(path).expanduser()
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise BadFile(f"{path}: can't be read as known_hosts: {why}; mend that") from error


def pin(place: Place, keys: Iterable[HostKey]) -> None:
    """Add keys of a place to its known_hosts.

    Raises:
        BadFile: the file can't be read, or written; nothing was changed.
    """
    write(place, known_hosts.added(read(place.known_hosts), place.name, keys))


def forget(place: Place, keys: Iterable[HostKey] | None = None) -> None:
    """Remove keys of a place, all or these, from its known_hosts.

    Raises:
        BadFile: as of `pin`.
    """
    write(place, known_hosts.removed(read(place.known_hosts), place.name, keys))


def replace(place: Place, keys: Iterable[HostKey]) -> None:
    """Have these keys of a place in its known_hosts, and no others.

    Raises:
        BadFile: as of `pin`.
    """
    without = known_hosts.removed(read(place.known_hosts), place.name)
    write(place, known_hosts.added(without, place.name, keys))


def write(place: Place, text: str) -> None:
    """Write a place's known_hosts whole; what pyinfra remembers of it is forgotten."""
    try:
        whole_file.write(Path(place.known_hosts).expanduser(), text)
    except whole_file.Unwritable as error:
        raise BadFile(str(error)) from error
    get_host_keys.cache.clear()
