"""The lease: of all who deploy to the same hosts, one changes them.

It is taken on every host that was read, before the first change, and given back at the end. What a
run sends meanwhile a host runs only while the lease holds there (observed/holding.py): one that
was suspended, and is another's by now, changes nothing. lease.sh is the host's side of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from weakref import WeakKeyDictionary

import gevent
from gevent.pool import Pool
from pyinfra import logger
from pyinfra.api import DeployError, Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh import SSHConnector

from roles.observed import channel, forget, holding
from roles.observed.holding import Holding
from roles.observed.lease import parse_lease
from roles.run import busy, interrupt
from roles.run.changes import Change
from roles.run.conductor import exit_if_interrupted
from roles.run.connecting import AT_ONCE
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem, Refused
from roles.run.report import counted
from roles.run.who import who

SCRIPT = (Path(__file__).parent / "lease.sh").read_bytes()
ASK_S = 20
AWAIT_S = 120
"""How long a command that a dead run has left on a host is waited for."""
SAY_WORDS = 200
RENEWALS = 4
"""So often within its time is a lease renewed."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while this machine is suspended."""
_RAN_OUT = "it ran out at"
"""What lease.sh says where nobody else has taken it."""
_ON_STDIN = 'script=$(cat); eval "$script"'

Plan = Callable[[Fleet], list[Change]]


def announce(state: State, fleet: Fleet, plans: Iterable[Plan], doing: str) -> None:
    """Tell what a run would change, and what it knows of the hosts; the survey does.

    `doing` is what others are told.
    """
    run = _runs.setdefault(state, RunLease(state, fleet, doing))
    run.plans += [plan for plan in plans if plan not in run.plans]


def take_for_changes(state: State) -> None:
    """Take the lease, once, where there is something to change; before every operation.

    Raises:
        DeployError: another has it, or has had it since the survey; nothing was changed.
    """
    run = _runs.get(state)
    if run is None or run.is_taken:
        return
    fleet = current_fleet(state)
    if any(plan(fleet) for plan in run.plans):
        run.take(fleet)


def give_back(state: State) -> bool:
    """Give the lease back, at the end of a run; tells whether it had been taken."""
    run = _runs.get(state)
    if run is None:
        return False
    run.release()
    return run.is_taken


@contextmanager
def lasting(state: State, host: Host, ttl_s: int) -> Iterator[None]:
    """Have a host leased for at least so long within the `with`: it will not answer for a while."""
    run = _runs.get(state)
    if run is None or not run.is_taken:
        yield
        return
    before = run.last(host, ttl_s)
    try:
        yield
    finally:
        run.last(host, before)


class RunLease:
    """One run's lease on all hosts that were read."""

    def __init__(self, state: State, surveyed: Fleet, doing: str) -> None:
        self.plans: list[Plan] = []
        self.is_taken = False
        self._state = state
        self._doing = _line(doing)
        self._generations = {m.name: m.observed.lease.generation for m in surveyed}
        self._holding = Holding(token_hex(16))
        self._asked: list[Host] = []
        self._keepers: list[gevent.Greenlet] = []
        self._ttls_s: dict[Host, int] = {}
        self._until_s: dict[Host, float] = {}
        self._left_alone: set[Host] = set()
        """Those that the run may not change: drained, or outside the limit."""
        self._is_late = False

    def take(self, fleet: Fleet) -> None:
        """The first host by name decides between two that come at once; then the rest."""
        first, *rest = sorted(fleet, key=busy.by_name)
        problem = self._take(first)
        problems = [problem] if problem else []
        if not problems:
            problems = [found for found in Pool(AT_ONCE).map(self._take, rest) if found]
        if problems:
            self.release()
            exit_if_interrupted()
            found = counted(len(problems), "problem")
            raise DeployError(f"{found}, and nothing was changed:\n{Refused(problems)}")
        self.is_taken = True
        if self._is_late:  # whoever was here before may have changed something since the survey
            for host in self._asked:
                forget(host)

    def _take(self, member: Member) -> Problem | None:
        host = self._state.inventory.get_host(member.name)
        self._asked.append(host)
        try:
            result, asked_s = self._ask_to_take(member, host)
        except channel.RemoteError as error:
            return Problem(member.name, "lease", str(error))
        if result.exit_code != 0:
            self._asked.remove(host)
            return busy.not_taken(member.name, result.exit_code, result.text, result.stderr_text)
        self._is_late |= "late" in result.text.split()
        holding.hold(host, self._holding)
        self._ttls_s[host] = member.wanted.rollout.lease_s
        self._until_s[host] = asked_s + self._ttls_s[host]
        self._keepers.append(gevent.spawn(self._keep, host))
        if not member.in_limit:
            self._left_alone.add(host)
        return None

    def last(self, host: Host, ttl_s: int) -> int:
        """Have a host leased for so long from now on, and return for how long it was before.

        Raises:
            RemoteError: the host does not let it be so.
        """
        before = self._ttls_s[host]
        if ttl_s > before:
            asked_s = _now()
            why = self._renew(host, ttl_s)
            if why is not None:
                raise channel.RemoteError(why)
            self._until_s[host] = asked_s + ttl_s
        self._ttls_s[host] = ttl_s
        return before

    def _ask_to_take(self, member: Member, host: Host) -> tuple[channel.Result, float]:
        """Ask until no command of a run that died runs any more; say when was asked last."""
        generation, ttl_s = self._generations[member.name], member.wanted.rollout.lease_s
        words = [str(ttl_s), str(generation), _line(who()), self._doing]
        ends_s = _now() + AWAIT_S
        while True:
            asked_s = _now()
            result = self._ask(host, "take", *words, limit_s=ASK_S)
            if result.exit_code != busy.RUNNING or asked_s > ends_s or interrupt.requested():
                return result, asked_s
            lease = parse_lease(result.text.splitlines())
            if lease.owner and not self._is_late:
                host.log(f"waiting: a command still runs of {lease.holder}")
            self._is_late = True
            gevent.sleep(1)

    def _keep(self, host: Host) -> None:
        """Renew the lease on a host until it is given back, lost, or no more this run's matter."""
        usual_s = pause_s = self._ttls_s[host] / RENEWALS
        while not holding.why_lost(host):
            gevent.sleep(pause_s)
            asked_s, ttl_s = _now(), self._ttls_s[host]
            why = self._renew(host, ttl_s)
            if why is None:
                self._until_s[host], pause_s = asked_s + ttl_s, usual_s
            elif _now() > self._until_s[host]:
                self._miss(host, f"{holding.SAID}could not be renewed in time: {why}")
            else:
                pause_s = 1

    def _renew(self, host: Host, ttl_s: int) -> str | None:
        """Why it is not renewed; None where it is."""
        try:
            result = self._ask(host, "renew", str(ttl_s), limit_s=min(ttl_s / 2, 2 * ASK_S))
        except channel.RemoteError as error:
            return str(error)
        if result.exit_code == holding.REFUSED:
            said = holding.refusal(result.stderr_text) or f"{holding.SAID}refused"
            (self._miss if _RAN_OUT in said else self._lose)(host, said)
        return None if result.exit_code == 0 else result.stderr_text

    def _miss(self, host: Host, why: str) -> None:
        """A host was silent for longer than its lease: no matter where it is not to be changed.

        It may have been switched off; and nobody takes the other hosts, which are this run's.
        """
        if host not in self._left_alone:
            self._lose(host, why)
        elif not holding.why_lost(host):
            self._asked.remove(host)
            holding.drop(host, f"{why}; the run goes on without it")
            host.log(str(holding.why_lost(host)), logger.warning)

    def _lose(self, host: Host, why: str) -> None:
        if not self._holding.lost:
            self._holding.lose(host, why)
            logger.error(f"--> {self._holding.lost}; the run stops")

    def release(self) -> None:
        """Give it back wherever it was asked for: a host may have given it without our knowing."""
        gevent.killall(self._keepers)
        asked, self._asked = self._asked, []
        for host in asked:
            holding.hold(host, None)
        Pool(AT_ONCE).map(self._release, asked)

    def _release(self, host: Host) -> None:
        """Where it was lost, the host says so: there is nothing to give back."""
        try:
            result = self._ask_over_again(host)
            error = result.stderr_text if result.exit_code not in (0, holding.REFUSED) else None
        except PyinfraError as broken:
            error = str(broken)
        if error is not None:
            host.log(f"lease: not given back, and runs out by itself: {error}", logger.warning)

    def _ask_over_again(self, host: Host) -> channel.Result:
        """A connection that has broken is not the end of the host."""
        try:
            return self._ask(host, "release", limit_s=ASK_S)
        except channel.RemoteError:
            if not isinstance(host.connector, SSHConnector):
                raise
            host.connector.connect()
            return self._ask(host, "release", limit_s=ASK_S)

    def _ask(self, host: Host, command: str, *words: str, limit_s: float) -> channel.Result:
        asked = ["sh", "-c", _ON_STDIN, "lease", command, self._holding.token, *words]
        return channel.run(
            self._state,
            host,
            asked,
            stdin=SCRIPT,
            timeout_s=limit_s,
            check=False,
            called=f"to {command} the lease",
            guarded=False,
        )


_runs: WeakKeyDictionary[State, RunLease] = WeakKeyDictionary()


def _line(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())[:SAY_WORDS]


def _now() -> float:
    return time.clock_gettime(_CLOCK)
