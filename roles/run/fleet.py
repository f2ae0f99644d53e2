"""All hosts of an inventory as the survey knows them: what is wanted, and what is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from roles.container.part import PartSpec
from roles.docker_engine.transaction import Transaction
from roles.observed import Drained, IpAddress, Observed, Release
from roles.run.address import REGISTRY_VARIABLE, by_family, endpoint
from roles.run.wanted import ROLE_OF_GROUP, Wanted


@dataclass(frozen=True)
class Member:
    """One host that was read."""

    name: str
    groups: frozenset[str]
    wanted: Wanted
    observed: Observed
    address: IpAddress
    """What it exports: other hosts reach it there."""
    in_limit: bool
    """Whether this run may change the host."""
    rehearsed: Transaction | None = None
    """What the host's package manager would do for its engine; None where nothing is needed."""
    absent: Drained | None = None
    """Who has sent it away for a while, by the registry, where the host does not know it itself."""
    translated_to: IpAddress | None = None
    """Its own address behind a router that translates `address`; None where that is its own."""

    released: Release | None = None
    """The release that `wanted` comes from; None where it comes from the data."""
    is_leaving: bool = False
    """Whether it is to run nothing any more: this run takes it out of the fleet."""

    @property
    def drained(self) -> Drained | None:
        """Who has sent it away for a while; None where nobody has."""
        return self.observed.drained or self.absent

    @property
    def own_address(self) -> IpAddress:
        """The address on an interface of its own: there its ports are bound."""
        return self.translated_to or self.address

    def part(self, role: str) -> PartSpec | None:
        """What the host is to run of a role; None: it is not in the role's group, or leaves."""
        if self.is_leaving:
            return None
        wanted = {ROLE_OF_GROUP[group] for group in self.groups if group in ROLE_OF_GROUP}
        return self.wanted.part(role) if role in wanted else None

    @property
    def parts(self) -> dict[str, PartSpec]:
        """Role to part, for every part that the host is to run."""
        found = {role: self.part(role) for role in ROLE_OF_GROUP.values()}
        return {role: part for role, part in found.items() if part}


@dataclass(frozen=True)
class Fleet:
    """Every host that was read, in inventory order."""

    members: tuple[Member, ...]
    unreachable: tuple[str, ...] = ()
    has_whole_registry: bool = True
    """Whether every host of the group `registry` is a member; not so where one has a problem."""

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def __getitem__(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    def without_limited(self) -> Fleet:
        """The fleet that the hosts in the limit leave."""
        members = (replace(m, is_leaving=m.in_limit) for m in self.members)
        return replace(self, members=tuple(members))

    def running(self, role: str) -> list[Member]:
        """The hosts that are to run a role."""
        return [member for member in self.members if member.part(role)]

    def in_service(self, role: str) -> list[Member]:
        """Those of them that nobody has sent away for a while."""
        return [member for member in self.running(role) if not member.drained]

    def staying(self, member: Member, away: Collection[str]) -> Member:
        """A host to look from while this one may go down; itself, where there is no other.

        A drained one may be switched off at any time: only where no other is left. So may one that
        leaves.
        """
        others = [other for other in self if other.name not in {member.name, *away}]
        return min(
            others, key=lambda other: bool(other.drained or other.is_leaving), default=member
        )

    @property
    def registry_connection(self) -> str:
        """`host:port,host:port,...`, in the same order whatever the inventory's."""
        external = {m.wanted.registry.connection for m in self} - {None}
        if external:
            return str(min(map(str, external)))
        ports = {m.address: m.wanted.registry.server.port for m in self.registry_servers}  # type: ignore[union-attr]
        in_order = sorted(ports, key=by_family)
        return ",".join(endpoint(address, ports[address]) for address in in_order)

    def told(self, member: Member, part: PartSpec, port: int) -> dict[str, str]:
        """What a part that registers itself is told: the registry, and what to register there."""
        is_own = member.translated_to is None
        return {
            REGISTRY_VARIABLE: self.registry_connection,
            "EXPORT_IP": str(member.address),
            "EXPORT_PORT": str(port),
            # On the host's network it can be told from the inside that an address is gone.
            "EXPORT_NETWORK": "host" if part.network == "host" and is_own else "bridge",
        }

    @property
    def registry_servers(self) -> list[Member]:
        """The hosts of our own ensemble, by address; none where the registry is external."""
        if any(member.wanted.registry.connection for member in self):
            return []
        return sorted(self.running("registry"), key=lambda member: by_family(member.address))
