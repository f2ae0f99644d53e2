"""What was rolled back does not come back by a deploy of some parts alone, either. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from roles.release.plan import pin_problems
from roles.run.changes import Change
from roles.run.fleet import Fleet
from roles.run.problems import Problem


@dataclass(frozen=True)
class Pins:
    """The pins against the parts that a deploy brings, as one of the roles that it surveys."""

    roles: tuple[str, ...]

    def check(self, fleet: Fleet) -> list[Problem]:
        return pin_problems(fleet, self.roles)

    @staticmethod
    def plan(fleet: Fleet) -> list[Change]:
        """Nothing is recorded: deploy/soa.py does that for all parts together."""
        return []
