"""Many inventory entries on a few hosts: each entry has an address of its own, that leads to one.

A host that has the route `local RANGE dev lo` answers at every address of the range, and none of
them is on an interface of its: it is as behind a router that translates addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from tests.lab import LabHost
from tests.lab.command import run
from tests.lab.reading import of_each
from tests.lab.running import Listed

RANGE = IPv4Network("198.19.252.0/22")
"""The last four subnets that a lab could get, of 512."""
EACH = 7
"""2 ** 7 addresses a host."""
ALL_AT_ONCE = "MaxStartups 200"
"""sshd refuses more than ten logins at once otherwise, which would be of one real host."""
LET_ALL_IN = (
    f"echo '{ALL_AT_ONCE}' >/etc/ssh/sshd_config.d/bench.conf && systemctl reload ssh.service"
)


@dataclass(frozen=True)
class Many:
    """The addresses of each of these hosts."""

    addresses: dict[str, list[str]]
    hosts: Sequence[LabHost]

    def listed(self, entries: int, known_hosts: Path) -> list[Listed]:
        """So many entries, evenly over the hosts; each is to run the caller's side alone."""
        found = []
        for number in range(entries):
            host = self.hosts[number % len(self.hosts)]
            address = self.addresses[host.name][number // len(self.hosts)]
            data = {
                "ssh_hostname": address,
                "ssh_known_hosts_file": str(known_hosts),
                "export_ip": address,
                "export_ip_nat": True,
            }
            found.append(Listed(host, data, f"entry-{number + 1}", ["sdk"]))
        return found

    def write_known_hosts(self, path: Path) -> None:
        keys = {
            name: key
            for line in self.hosts[0].known_hosts.read_text().splitlines()
            for names, key in [line.split(" ", 1)]
            for name in names.split(",")
        }
        lines = [
            f"{address} {keys[host.name]}\n"
            for host in self.hosts
            for address in self.addresses[host.name]
        ]
        path.write_text("".join(lines))


@contextmanager
def many(hosts: Sequence[LabHost]) -> Iterator[Many]:
    """Yield hosts that answer at many addresses, for as long as they are used."""
    subnets = RANGE.subnets(new_prefix=32 - EACH)
    ranges = {host.name: next(subnets) for host in hosts}
    try:
        for host in hosts:
            run(["ip", "route", "replace", str(ranges[host.name]), "via", host.address])
        of_each(hosts, lambda host: _answer(host, ranges[host.name]))
        yield Many({name: [str(a) for a in of] for name, of in ranges.items()}, hosts)
    finally:
        for host in hosts:
            run(["ip", "route", "del", str(ranges[host.name]), "via", host.address], check=False)


def _answer(host: LabHost, addresses: IPv4Network) -> None:
    host.run(f"ip route replace local {addresses} dev lo && {LET_ALL_IN}")
