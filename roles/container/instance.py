"""A container on a host under its name of the moment, and the names that a replacement needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roles.container.spec import ContainerSpec
from roles.observed import Container, IpAddress, Observed
from roles.run.address import endpoint

BEFORE, NEXT, FAILED = "-before", "-next", "-failed"
"""What stands beside NAME while it is replaced: the old one to go back to, the new one that is not
proven yet; and what stays after a failure, to be looked at."""


@dataclass(frozen=True)
class Instance:
    """A container, and what it was told."""

    name: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, found: Container | ContainerSpec) -> Instance:
        return cls(found.name, found.environment)

    def reached_at(self, address: IpAddress, port: int) -> str:
        """Where it was told that it is reached, `ADDRESS:PORT`; as given, where it was not told."""
        told = self.environment
        return endpoint(told.get("EXPORT_IP", address), int(told.get("EXPORT_PORT", port)))


def is_beside(name: str) -> bool:
    """Whether a name is one that a replacement gives, and no part's own."""
    return name.endswith((BEFORE, NEXT, FAILED))


def current(observed: Observed, name: str) -> Container | None:
    """The container that serves as NAME.

    A run that ended in the middle of an exchange has left it under the name of the next one.
    """
    found, following = observed.container(name), observed.container(f"{name}{NEXT}")
    if following and following.running and not (found and found.running):
        return following
    return found


def serving(observed: Observed, name: str) -> Instance | None:
    """The container that serves as NAME now; None where none runs."""
    found = current(observed, name)
    return Instance.of(found) if found and found.running else None


def expected(observed: Observed, name: str) -> Instance:
    """The container that serves as NAME, or would: it has been told nothing yet."""
    return serving(observed, name) or Instance(name, {})


def kept(observed: Observed, name: str) -> Container | None:
    """The old container that a run has left, where nothing runs in its place: the way back."""
    found = observed.container(f"{name}{BEFORE}")
    if found is None or found.running or serving(observed, name):
        return None
    return found


def leftovers(observed: Observed, name: str) -> list[Container]:
    """What a run that ended early has left beside the container that serves as NAME."""
    serves = current(observed, name)
    if serves is None:
        return []
    names = (f"{name}{NEXT}", name, f"{name}{BEFORE}")
    found = [observed.container(beside) for beside in names if beside != serves.name]
    return [container for container in found if container]
