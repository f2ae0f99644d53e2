"""Who of a fleet registers itself, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from roles.container.instance import expected, serving
from roles.proxy import plan as proxy
from roles.registry.node import Node, node
from roles.run.fleet import Fleet, Member
from roles.soa_engine import plan as soa_engine


@dataclass(frozen=True)
class Registrant:
    """A part of a host that registers itself."""

    member: Member
    role: str
    pattern: str
    name: str | None
    """`ADDRESS:PORT` of what runs now; None where nothing does."""
    usual_name: str
    """The same of what runs, or would."""

    @property
    def node(self) -> Node | None:
        return node(self.pattern, self.name) if self.name else None


def registrants(fleet: Fleet) -> Iterator[Registrant]:
    for member in fleet.running(soa_engine.ROLE):
        engine = soa_engine.engine(member)
        if engine.registration:
            name = soa_engine.running_name(member)
            usual = soa_engine.name_of(member, expected(member.observed, engine.container))
            yield Registrant(member, soa_engine.ROLE, engine.registration, name, usual)
    for member in fleet.running(proxy.ROLE):
        part = proxy.proxy(member)
        if part.registration:
            usual = proxy.name_of(member, expected(member.observed, part.container))
            name = usual if serving(member.observed, part.container) else None
            yield Registrant(member, proxy.ROLE, part.registration, name, usual)
