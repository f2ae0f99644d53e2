"""One run's lease on several hosts: all are this machine, each with a record of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import gevent
import pytest
from pyinfra.api import DeployError, State

from roles.observed import Lease, channel, holding, is_fresh
from roles.observed.channel import LeaseLost
from roles.run import busy, lease
from roles.run.changes import Change
from roles.run.fleet import Fleet
from roles.run.problems import Problem
from tests.unit.build import bare, fleet, member, state_of

NAMES = ("app-1", "app-2", "registry-1")
HOME = b"/var/lib/dockyard/lease"
send = channel.run


class Hosts:
    """The hosts' sides of the lease, below a folder; what they were asked, in order."""

    def __init__(self, folder: File) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        self.silent: set[str] = set()

    def run(self, state: State, host: Any, command: Any, **more: Any) -> channel.Result:
        if "lease" in command:
            self.asked.append((host.name, command[command.index("lease") + 1]))
            if host.name in self.silent:
                raise channel.RemoteError("the connection broke")
            home = str(self.folder / host.name).encode()
            more["stdin"] = lease.SCRIPT.replace(HOME, home)
        return send(state, host, command, **more)

    def be(self, name: str, command: str, token: str, *words: str) -> None:
        """Another run, of bob's."""
        script = lease.SCRIPT.replace(HOME, str(self.folder / name).encode())
        argv = ["sh", "-c", lease._ON_STDIN, "lease", command, token, *words]
        subprocess.run(argv, input=script, check=True, timeout=20)

    def take(self, name: str, ttl_s: int = 60, generation: int = 0) -> None:
        self.be(name, "take", "b2", str(ttl_s), str(generation), "bob@desk", "deploy/engine.py")

    def holders(self) -> list[str]:
        """Whose token stands on each host."""
        records = [self.folder / name / "record" for name in NAMES]
        tokens = [r.read_text().split("\n")[0] if r.exists() else "" for r in records]
        return ["" if not t else "bob" if t == "b2" else "we" for t in tokens]


@pytest.fixture
def hosts(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    found = Hosts(tmp_path)
    monkeypatch.setattr("roles.run.lease.channel.run", found.run)
    return found


@pytest.fixture
def state() -> Iterator[State]:
    state = state_of(fleet(*(member(name) for name in NAMES)))
    yield state
    lease.give_back(state)


def with_changes(found: Fleet) -> list[Change]:
    return [Change("app-1", "proxy", "replace", "why")]


def without(found: Fleet) -> list[Change]:
    return []


def begin(state: State, *plans: lease.Plan) -> None:
    lease.announce(state, lease.current_fleet(state), plans or (with_changes,), "deploy/soa.py")
    lease.take_for_changes(state)


def refusal(state: State) -> list[str]:
    with pytest.raises(DeployError) as caught:
        begin(state)
    first, *problems = str(caught.value).split("\n  ")
    assert first.endswith("and nothing was changed:")
    return problems


def test_without_changes_nothing_is_taken(hosts: Hosts, state: State) -> None:
    begin(state, without)
    assert hosts.asked == []
    assert not lease.give_back(state)


def test_it_is_taken_once_on_all_hosts_the_first_by_name_first(hosts: Hosts, state: State) -> None:
    begin(state, without, with_changes)
    lease.take_for_changes(state)
    assert hosts.asked[0] == ("app-1", "take")
    assert sorted(hosts.asked) == [(name, "take") for name in NAMES]
    assert hosts.holders() == ["we"] * 3
    assert lease.give_back(state)
    assert hosts.holders() == [""] * 3


def test_another_on_the_first_host_is_told_and_no_other_is_asked(
    hosts: Hosts, state: State
) -> None:
    hosts.take("app-1")
    [problem] = refusal(state)
    assert problem.startswith("app-1: lease: held by bob@desk since ")
    assert "(deploy/engine.py), until " in problem
    assert hosts.asked == [("app-1", "take")]
    assert hosts.holders() == ["bob", "", ""]
    assert not lease.give_back(state)


def test_another_elsewhere_and_what_was_taken_is_given_back(hosts: Hosts, state: State) -> None:
    hosts.take("registry-1")
    [problem] = refusal(state)
    assert problem.startswith("registry-1: lease: held by bob@desk since ")
    assert hosts.holders() == ["", "", "bob"]
    channel.run(state, state.inventory.get_host("app-1"), ["true"], timeout_s=5)


def test_what_another_did_since_the_survey_is_told(hosts: Hosts, state: State) -> None:
    hosts.take("app-2")
    hosts.be("app-2", "release", "b2")
    [problem] = refusal(state)
    assert problem.startswith("app-2: lease: changed since the survey, by bob@desk since ")
    assert problem.endswith("(deploy/engine.py); run again")
    assert hosts.holders() == [""] * 3


def test_a_host_that_can_not_be_asked_may_have_given_it(hosts: Hosts, state: State) -> None:
    hosts.silent.add("app-2")
    [problem] = refusal(state)
    assert problem == "app-2: lease: the connection broke"
    assert ("app-2", "release") in hosts.asked
    assert hosts.holders() == [""] * 3


def test_one_that_ran_out_is_taken_and_the_hosts_are_read_again(hosts: Hosts) -> None:
    hosts.take("app-1", ttl_s=0)
    left = Lease("b2", 0, 1, "bob@desk")
    first = member("app-1", observed=replace(bare(), lease=left))
    state = state_of(fleet(first, member("app-2"), member("registry-1")))
    begin(state)
    assert hosts.holders() == ["we"] * 3
    assert not any(is_fresh(state, host) for host in state.inventory)
    lease.give_back(state)


def test_a_command_that_a_dead_run_has_left_is_waited_for(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hosts.take("app-1", ttl_s=4)
    script = str(hosts.folder / "app-1" / "lease.sh")
    left = subprocess.Popen(["sh", script, "do", "b2", "sh", "-c", "echo begun; sleep 10"])
    hosts_lease = Lease("b2", 0, 1, "bob@desk")
    first = member("app-1", observed=replace(bare(), lease=hosts_lease))
    gevent.sleep(5)
    state = state_of(fleet(first, member("app-2"), member("registry-1")))
    begin(state)
    assert left.poll() == 0, "it had ended before"
    assert "waiting: a command still runs of bob@desk since" in caplog.text
    assert hosts.holders() == ["we"] * 3
    assert not any(is_fresh(state, host) for host in state.inventory)
    lease.give_back(state)


def test_nobody_s_is_taken_on_what_the_survey_has_read(hosts: Hosts, state: State) -> None:
    begin(state)
    assert all(is_fresh(state, host) for host in state.inventory)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine gets its time: of many renewals some may be missed."""
    monkeypatch.setattr(lease, "RENEWALS", 16)


def short(seconds: float, left_alone: str = "") -> State:
    """A run whose lease lasts for seconds, fewer than may be said in data."""
    found = fleet(*(member(name, in_limit=name != left_alone) for name in NAMES))
    rollout = found.members[0].wanted.rollout.model_copy(update={"lease_s": seconds})
    members = [replace(m, wanted=m.wanted.model_copy(update={"rollout": rollout})) for m in found]
    return state_of(replace(found, members=tuple(members)))


def test_it_is_renewed_while_the_run_goes_on(hosts: Hosts) -> None:
    state = short(8)
    begin(state)
    _await(lambda: hosts.asked.count(("app-1", "renew")) >= 18)  # longer than it lasts
    assert holding.why_lost(state.inventory.get_host("app-1")) is None
    lease.give_back(state)
    asked = len(hosts.asked)
    gevent.sleep(1.5)
    assert len(hosts.asked) == asked


def test_where_one_host_is_another_s_nothing_more_is_sent_to_any(hosts: Hosts, caplog: Any) -> None:
    state = short(8)
    begin(state)
    record = hosts.folder / "app-2" / "record"
    record.write_text(record.read_text().replace(record.read_text().split()[0], "b2", 1))
    host = state.inventory.get_host("registry-1")
    _await(lambda: holding.why_lost(host))
    with pytest.raises(LeaseLost, match="app-2: lease: it is not this run's any more"):
        send(state, host, ["true"], timeout_s=5)
    assert "app-2: lease: it is not this run's any more" in caplog.text
    assert lease.give_back(state)
    assert hosts.holders() == ["", "bob", ""]


def test_one_that_can_not_be_renewed_in_its_time_is_lost(hosts: Hosts) -> None:
    state = short(8)
    begin(state)
    hosts.silent.add("app-2")
    host = state.inventory.get_host("app-1")
    _await(lambda: holding.why_lost(host))
    text = "app-2: lease: could not be renewed in time: the connection broke"
    assert holding.why_lost(host) == text
    lease.give_back(state)


def test_one_that_is_not_to_be_changed_and_falls_silent_is_left_out(
    hosts: Hosts, caplog: Any
) -> None:
    """It is drained, say, and was switched off."""
    state = short(6, left_alone="app-2")
    begin(state)
    hosts.silent.add("app-2")
    gone, stays = (state.inventory.get_host(name) for name in ("app-2", "app-1"))
    _await(lambda: holding.why_lost(gone))
    text = "lease: could not be renewed in time: the connection broke; the run goes on without it"
    assert holding.why_lost(gone) == text
    assert text in caplog.text
    assert holding.dropped(state.inventory) == {"app-2"}
    with pytest.raises(LeaseLost, match="goes on without it"):
        send(state, gone, ["true"], timeout_s=5)
    assert holding.why_lost(stays) is None
    asked = len(hosts.asked)
    _await(lambda: len(hosts.asked) > asked + 4)
    assert {name for name, _ in hosts.asked[asked:]} == {"app-1", "registry-1"}
    assert lease.give_back(state)
    assert hosts.holders() == ["", "we", ""], "that of the silent one runs out by itself"
    assert ("app-2", "release") not in hosts.asked
    assert holding.why_lost(gone) == text, "nobody waits for it in the end, too"


def test_one_that_comes_back_when_its_lease_is_over_is_left_out(hosts: Hosts) -> None:
    state = short(8, left_alone="app-2")
    begin(state)
    record = hosts.folder / "app-2" / "record"
    lines = record.read_text().splitlines()
    record.write_text("\n".join([lines[0], "1", *lines[2:], ""]))
    _await(lambda: holding.why_lost(state.inventory.get_host("app-2")))
    assert holding.dropped(state.inventory) == {"app-2"}
    assert holding.why_lost(state.inventory.get_host("app-1")) is None
    lease.give_back(state)


def test_one_that_is_not_to_be_changed_and_is_another_s_ends_the_run(hosts: Hosts) -> None:
    state = short(8, left_alone="app-2")
    begin(state)
    record = hosts.folder / "app-2" / "record"
    record.write_text(record.read_text().replace(record.read_text().split()[0], "b2", 1))
    host = state.inventory.get_host("app-1")
    _await(lambda: holding.why_lost(host))
    assert holding.dropped(state.inventory) == frozenset()
    assert str(holding.why_lost(host)).startswith("app-2: lease: it is not this run's any more")
    lease.give_back(state)


def ttl_s(hosts: Hosts, name: str) -> int:
    """For how long a host is leased from now on."""
    return int((hosts.folder / name / "record").read_text().split()[1]) - int(time.time())


def test_a_host_that_will_not_answer_for_a_while_is_leased_for_that_long(
    hosts: Hosts,
) -> None:
    state = short(8)
    begin(state)
    with lease.lasting(state, state.inventory.get_host("app-2"), 600):
        renewed = hosts.asked.count(("app-2", "renew"))
        assert ttl_s(hosts, "app-1") <= 8
        _await(lambda: hosts.asked.count(("app-2", "renew")) > renewed + 1)
        assert 590 <= ttl_s(hosts, "app-2") <= 600, "each renewal, too"
    _await(lambda: ttl_s(hosts, "app-2") <= 8)
    lease.give_back(state)


def test_a_host_that_does_not_answer_for_a_while_is_not_lost(hosts: Hosts) -> None:
    state = short(8)
    begin(state)
    host = state.inventory.get_host("app-2")
    with lease.lasting(state, host, 60):
        hosts.silent.add("app-2")
        gevent.sleep(10)
        assert holding.why_lost(host) is None
        hosts.silent.clear()
    lease.give_back(state)


def test_one_that_can_not_be_leased_for_long_is_not_left_alone_for_long(
    hosts: Hosts, state: State
) -> None:
    begin(state)
    hosts.silent.add("app-2")
    with (
        pytest.raises(channel.RemoteError, match="the connection broke"),
        lease.lasting(state, state.inventory.get_host("app-2"), 600),
    ):
        pytest.fail("went on")


def test_without_a_lease_nothing_lasts(hosts: Hosts, state: State) -> None:
    begin(state, without)
    with lease.lasting(state, state.inventory.get_host("app-2"), 600):
        assert hosts.asked == []


def _await(is_so: Any) -> None:
    deadline = time.monotonic() + 40
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        gevent.sleep(0.02)


def held(token: str, left_s: int = 30, **more: Any) -> Lease:
    since_s = int(time.time()) - 30
    return Lease(token, since_s + 60, 4, "ann@laptop", since_s, "deploy/soa.py", left_s, **more)


def test_who_has_the_hosts_now_is_told_once() -> None:
    leases = {
        "registry-1": held("b2"),
        "registry-2": held("c3", left_s=0),
        "app-2": held("a1"),
        "app-1": held("a1"),
    }
    one = held("a1")
    holder = f"held by {one.holder}, until {one.expiry} unless renewed"
    wait = "wait for it; that of a run that died runs out by itself"
    assert busy.check(leases) == [
        Problem("app-1", "lease", f"{holder}, as 1 host more; {wait}"),
        Problem("registry-1", "lease", f"{holder}; {wait}"),
    ]
