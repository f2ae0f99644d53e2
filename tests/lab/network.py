"""The lab's network: one bridge and one /24 per lab, masqueraded towards the package mirror.

Beside it a /64 of IPv6 that leads nowhere else: neither to other labs nor to a mirror.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab import machine
from tests.lab.command import run

RANGE = "198.18.0.0/15"  # kept for tests of this kind (RFC 2544)


@dataclass(frozen=True)
class Network:
    """The subnet with this number, 0 to 511, and what belongs to it on the machine."""

    number: int

    @property
    def bridge(self) -> str:
        return f"dockyard{self.number}"

    @property
    def prefix(self) -> str:
        return f"198.{18 + self.number // 256}.{self.number % 256}"

    @property
    def subnet(self) -> str:
        return f"{self.prefix}.0/24"

    @property
    def gateway(self) -> str:
        return self.address(1)

    def address(self, last: int) -> str:
        return f"{self.prefix}.{last}"

    @property
    def prefix6(self) -> str:
        """As `prefix`, in the range that is kept for documentation (RFC 3849)."""
        return f"2001:db8:{18 + self.number // 256}:{self.number % 256}:"

    def address6(self, address: str) -> str:
        """Return what stands beside an IPv4 address: 2001:db8:18:7::11 beside 198.18.7.11."""
        return f"{self.prefix6}:{address.rpartition('.')[2]}"

    def up(self) -> None:
        """Make the bridge and the rules, those that are not there."""
        if not _exists(self.bridge):
            run(["ip", "link", "add", self.bridge, "type", "bridge"])
        run(["ip", "address", "replace", f"{self.gateway}/24", "dev", self.bridge])
        if machine.has_ipv6():
            own = f"{self.address6(self.gateway)}/64"
            run(["ip", "-6", "address", "replace", own, "dev", self.bridge, "nodad"])
        run(["ip", "link", "set", self.bridge, "mtu", str(machine.uplink_mtu()), "up"])
        for rule in self._rules():
            if _iptables("-C", rule, check=False) != 0:
                _iptables("-I", rule)

    def down(self) -> None:
        """Remove the bridge and the rules, those that are there."""
        for rule in self._rules():
            while _iptables("-C", rule, check=False) == 0:
                _iptables("-D", rule)
        delete_interface(self.bridge)

    def _rules(self) -> list[list[str]]:
        comment = ["-m", "comment", "--comment", self.bridge]
        masquerade = ["-s", self.subnet, "!", "-d", RANGE, *comment, "-j", "MASQUERADE"]
        return [
            # Elsewhere Docker's own policy for forwarded packets may be to drop them.
            ["filter", "FORWARD", "-i", self.bridge, *comment, "-j", "ACCEPT"],
            ["filter", "FORWARD", "-o", self.bridge, *comment, "-j", "ACCEPT"],
            # Lab hosts see each other's real addresses, also across labs.
            ["nat", "POSTROUTING", *masquerade],
        ]


def delete_interface(name: str) -> None:
    """Delete an interface if it is there."""
    if _exists(name):
        run(["ip", "link", "delete", name], check=False)  # the kernel may be about to do it


def _exists(interface: str) -> bool:
    return run(["ip", "link", "show", interface], check=False).returncode == 0


def _iptables(action: str, rule: list[str], check: bool = True) -> int:
    table, chain, *match = rule
    return run(["iptables", "-w", "-t", table, action, chain, *match], check=check).returncode
