"""Where it is said what is wanted of hosts: in today's data, or in the records of a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyinfra.api import Host, State

from roles.observed import Release
from roles.run.problems import Problem
from roles.run.wanted import Wanted, validated


@dataclass(frozen=True)
class Wish:
    """What is wanted of a host, and the release that says so; None: today's data says so."""

    wanted: Wanted
    release: Release | None = None


Wishes = Callable[[State, list[Host]], tuple[dict[Host, Wish], list[Problem]]]
"""Given the hosts that are connected: what is wanted of hosts, and what is wrong with that."""


def said(state: State, connected: list[Host]) -> tuple[dict[Host, Wish], list[Problem]]:
    """Return what group_data, the inventory and the command line say of all hosts."""
    wishes: dict[Host, Wish] = {}
    problems: list[Problem] = []
    for host in state.inventory:
        found, wrong = validated(host)
        problems += wrong
        if found:
            wishes[host] = Wish(found)
    return wishes, problems
