"""Settings that the parts read from their environment.

Every reader raises `SettingError`, whose text names the variable, what was expected and what was
found. A part that meets one says so on one line and exits with `EX_USAGE`.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EX_USAGE = 64
OWN_S = 1.0
"""How long a connection to an address of one's own may take."""
REGISTRY_VARIABLE = "VIP_CFGCENTER_ZK_CONNECTION"

_REGISTRY_HOST = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")

Environ = Mapping[str, str]


class SettingError(Exception):
    """A variable of the environment is absent or has a value that can't be used."""

    def __init__(self, name: str, expected: str, found: str | None) -> None:
        shown = "is not set" if found is None else f"is {found!r}"
        super().__init__(f"{name} {shown}; expected {expected}")


@dataclass(frozen=True, order=True)
class Endpoint:
    """An IP address and a TCP port. Its text is also its name in the registry.

    That is `198.18.0.11:1080` or `[2001:db8::1]:1080`: compressed, in lower case.
    """

    ip: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `ip:port` or `[ip]:port`. Raises ValueError for all else, hosts' names included."""
        ip, separator, port = text.rpartition(":")
        if not separator or not port.isascii() or not port.isdigit():
            raise ValueError(f"{text!r} is not ip:port")
        if not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} has no valid port")
        if ip.startswith("[") and ip.endswith("]"):
            return cls(str(_ipv6_address(ip[1:-1])), int(port))
        return cls(str(ipaddress.IPv4Address(ip)), int(port))

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.ip

    @property
    def family(self) -> socket.AddressFamily:
        """What a socket that binds or connects to this has to be made with."""
        return socket.AF_INET6 if self.is_ipv6 else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.is_ipv6 else f"{self.ip}:{self.port}"


def ip_address(text: str) -> str:
    """Return an address as names hold it: compressed, in lower case. Raises ValueError.

    An address that only holds on one link (`fe80::1%eth0`) or stands for an IPv4 address
    (`::ffff:10.0.0.1`) names nobody to other hosts.
    """
    return str(_ipv6_address(text) if ":" in text else ipaddress.IPv4Address(text))


def _ipv6_address(text: str) -> ipaddress.IPv6Address:
    address = ipaddress.IPv6Address(text)
    if address.scope_id is not None or address.ipv4_mapped is not None:
        raise ValueError(f"{text!r} is no address that other hosts can use")
    return address


def export_endpoint(environ: Environ, default_port: int) -> Endpoint:
    """Return the address under which others reach this part, from EXPORT_IP and EXPORT_PORT.

    EXPORT_PROT, the misspelt name of the contract's first version, is read where EXPORT_PORT is
    absent. On the host's network (EXPORT_NETWORK) the address has to be one of this host, which
    may have come back from a reboot with another one.
    """
    found = environ.get("EXPORT_IP") or None
    expected = "the IPv4 or IPv6 address under which other hosts reach this one"
    try:
        address = ip_address(found or "")
    except ValueError:
        raise SettingError("EXPORT_IP", expected, found) from None
    if ipaddress.ip_address(address).is_unspecified or ipaddress.ip_address(address).is_multicast:
        raise SettingError("EXPORT_IP", expected, found)
    if _network(environ) == "host" and not _is_own_address(address):
        raise SettingError("EXPORT_IP", "an address of this host (EXPORT_NETWORK=host)", found)
    name = "EXPORT_PORT" if environ.get("EXPORT_PORT") else "EXPORT_PROT"
    return Endpoint(address, port(environ, name, default_port))


def _network(environ: Environ) -> str:
    found = environ.get("EXPORT_NETWORK") or "bridge"
    if found not in ("bridge", "host"):
        raise SettingError("EXPORT_NETWORK", "bridge or host", found)
    return found


def port(environ: Environ, name: str, default: int) -> int:
    """Return the TCP port that the variable `name` holds."""
    return int(number(environ, name, default, lowest=1, highest=65535, whole=True))


def number(
    environ: Environ,
    name: str,
    default: float,
    *,
    lowest: float,
    highest: float,
    whole: bool = False,
) -> float:
    """Return the number that the variable `name` holds, `default` where it is absent or empty."""
    found = environ.get(name) or None
    if found is None:
        return default
    try:
        value: float = int(found) if whole else float(found)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        kind = "a whole number" if whole else "a number"
        raise SettingError(name, f"{kind} from {lowest:g} to {highest:g}", found)
    return value


def registry_hosts(environ: Environ) -> str:
    """Return the registry's members as kazoo takes them: `host:port,host:port`, maybe `/chroot`."""
    found = environ.get(REGISTRY_VARIABLE) or None
    hosts, slash, chroot = (found or "").partition("/")
    members = [member.strip() for member in hosts.split(",")]
    if not all(_is_registry_host(member) for member in members):
        raise SettingError(REGISTRY_VARIABLE, "host:port,host:port,...", found)
    return ",".join(members) + slash + chroot


def _is_registry_host(text: str) -> bool:
    match = _REGISTRY_HOST.fullmatch(text)
    return match is not None and 0 < int(match[2]) < 65536


def directory(environ: Environ, name: str) -> Path:
    """Return the folder that the variable `name` holds; the start scripts always set it."""
    found = environ.get(name) or None
    if found is None:
        raise SettingError(name, "the path of a folder", found)
    return Path(found)


def listen_endpoints(export: Endpoint, image_port: int) -> list[Endpoint]:
    """Return where a server has to listen so that `export` leads to it.

    On the host's network that is the exported address itself, and the loopback for local checks.
    Behind a published port the exported address belongs to the host, not to this container: then
    every address, on the port that the image exposes; `::` takes IPv4 too, since Docker may lead
    an IPv6 address of the host to an IPv4 one of the container.
    """
    if not _is_own_address(export.ip):
        return [Endpoint("::" if export.is_ipv6 else "0.0.0.0", image_port)]
    if ipaddress.ip_address(export.ip).is_loopback:
        return [export]
    return [export, Endpoint("::1" if export.is_ipv6 else "127.0.0.1", export.port)]


def _is_own_address(ip: str) -> bool:
    """Tell whether `ip` is an address of this host, or of this container behind the bridge.

    What is sent to an own address arrives here. Binding to it proves nothing where
    `net.ipv4.ip_nonlocal_bind` is set, as it is on hosts that share an address; and the kernel
    may answer from another own address of the same network.
    """
    with socket.socket(Endpoint(ip, 1).family, socket.SOCK_STREAM) as server:
        try:
            server.bind((ip, 0))
            server.listen(1)
            server.settimeout(OWN_S)
            with socket.create_connection(server.getsockname()[:2], OWN_S) as near:
                far, peer = server.accept()
                far.close()
                return bool(peer[:2] == near.getsockname()[:2])
        except OSError:
            return False
