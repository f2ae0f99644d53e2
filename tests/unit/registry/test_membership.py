"""Whom a change of the ensemble's members is proven with, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import Mock

import pytest
from pyinfra.api import State

from roles.registry import membership, rollout
from roles.registry.data import AGREED
from roles.registry.membership import Agreed, change_members
from roles.run.fleet import Fleet, Member
from tests.unit.build import agreed, fleet, member, serving, state_of

LIMIT = {"server": {"ready_timeout_s": 1}}
MEMBERS = {number: f"198.18.0.3{number}" for number in (2, 3, 4)}


class Ensemble:
    """Servers of which the highest number leads; when it leaves, the lowest takes over."""

    def __init__(self) -> None:
        self.members = dict(MEMBERS)
        self.leads = MEMBERS[4]
        self.steps: list[tuple[int, str | None]] = []

    def mode(self, state: State, member: Member) -> str:
        return "leader" if str(member.address) == self.leads else "follower"

    def reconfigure(self, state: State, via: Member, number: int, address: str | None) -> None:
        self.steps.append((number, address))
        if address:
            self.members[number] = address
        elif self.members.pop(number) == self.leads:
            self.leads = self.members[min(self.members)]

    def read(self, client: object) -> Agreed:
        lines = {n: f"{ip}:2888:3888:participant" for n, ip in self.members.items()}
        return Agreed(1, lines)


@contextmanager
def _session(state: State, via: Member) -> Iterator[Mock]:
    yield Mock()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Ensemble:
    found = Ensemble()
    monkeypatch.setattr(rollout, "mode", found.mode)
    for name in ("reconfigure", "read"):
        monkeypatch.setattr(membership, name, getattr(found, name))
    monkeypatch.setattr(membership, "stewardship", _session)
    return found


def group(*numbers: int) -> Fleet:
    """The ensemble of 2, 3 and 4, and the hosts `registry-N` as its group."""
    known = serving(fleet(*(member(f"registry-{n}", registry=LIMIT) for n in numbers)))
    hosts = []
    for one in known:
        data = "/apps/data/zookeeper"
        lines, newest = {}, {}
        if (number := int(one.name[-1])) in MEMBERS:
            lines = {f"{data}/myid": str(number)}
            newest = {f"{data}/{AGREED}": agreed(MEMBERS)}
        observed = replace(one.observed, first_lines=lines, newest=newest)
        hosts.append(replace(one, observed=observed))
    return replace(known, members=tuple(hosts))


def test_a_leader_that_leaves_may_hand_over_to_one_that_has_just_joined(
    servers: Ensemble,
) -> None:
    """registry-5 joins with the ID 1, the lowest that is free."""
    found = group(2, 3, 5)
    state = state_of(found)
    assert change_members(state, state.inventory.get_host("registry-2"))
    assert servers.steps == [(1, "198.18.0.35"), (4, None)]
    assert servers.leads == "198.18.0.35"


def test_who_has_joined_and_serves_nobody_holds_up_who_is_to_leave(
    servers: Ensemble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = group(2, 3, 5, 6)
    silent = found["registry-5"].address

    def mode(state: State, member: Member) -> str | None:
        is_down = member.address == silent and (5, "198.18.0.36") in servers.steps
        return None if is_down else servers.mode(state, member)

    monkeypatch.setattr(rollout, "mode", mode)
    state = state_of(found)
    assert not change_members(state, state.inventory.get_host("registry-2"))
    assert servers.steps == [(1, "198.18.0.35"), (5, "198.18.0.36")]
    assert "registry-5 serves nobody yet" in caplog.text
