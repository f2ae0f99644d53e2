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
    """An IPv4 address and a TCP port. Its text, `ip:port`, is also its name in the registry."""

    ip: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `ip:port`. Raises ValueError for anything else, names of hosts included."""
        ip, separator, port = text.rpartition(":")
        if not separator or not port.isascii() or not port.isdigit():
            raise ValueError(f"{text!r} is not ip:port")
        if not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} has no valid port")
        return cls(str(ipaddress.IPv4Address(ip)), int(port))

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


def export_endpoint(environ: Environ, default_port: int) -> Endpoint:
    """Return the address under which others reach this part, from EXPORT_IP and EXPORT_PORT.

    EXPORT_PROT, the misspelt name of the contract's first version, is read where EXPORT_PORT is
    absent.
    """
    found = environ.get("EXPORT_IP") or None
    expected = "the IPv4 address under which other hosts reach this one"
    try:
        address = ipaddress.IPv4Address(found or "")
    except ValueError:
        raise SettingError("EXPORT_IP", expected, found) from None
    if address.is_unspecified or address.is_multicast:
        raise SettingError("EXPORT_IP", expected, found)
    name = "EXPORT_PORT" if environ.get("EXPORT_PORT") else "EXPORT_PROT"
    return Endpoint(str(address), port(environ, name, default_port))


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
    every address, on the port that the image exposes.
    """
    if not _is_own_address(export.ip):
        return [Endpoint("0.0.0.0", image_port)]
    if ipaddress.IPv4Address(export.ip).is_loopback:
        return [export]
    return [export, Endpoint("127.0.0.1", export.port)]


def _is_own_address(ip: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((ip, 0))
        except OSError:
            return False
    return True
