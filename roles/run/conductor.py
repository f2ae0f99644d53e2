"""The one driver of whatever interrupts: batch by batch, drained before, proven after.

It waits for acknowledgements, never for a fixed time. What interrupts nothing (a container that is
not there yet) is done on all hosts at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import gevent
from gevent.pool import Pool
from pyinfra import logger
from pyinfra.api import Host, State

from roles.observed import channel, forget
from roles.observed.holding import why_lost
from roles.observed.parse import ProbeError
from roles.run import interrupt
from roles.run.changes import Change
from roles.run.pace import Pace
from roles.run.report import done

POLL_S = 0.1
SAY_AFTER_S = 5
AT_ONCE = 20

Away = frozenset[str]
"""The names of the hosts that are out of service at the same time."""


class NotProven(Exception):
    """What should have come about did not, in its time; the text says what is missing."""


FAILURES = (NotProven, channel.RemoteError, ProbeError, OSError)
"""How a step fails; OSError is a connection, to the registry for one. All else is a mistake."""


def _nothing() -> None:
    return


def nobody_is_aside(away: Away) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Treatment:
    """What is done to one host: each step raises where it fails."""

    host: Host
    changes: tuple[Change, ...]
    aside: Callable[[Away], AbstractContextManager[None]]
    """Out of service within the `with`: entered when everybody has let go of the host."""
    apply: Callable[[Away], None]
    prove: Callable[[], None]
    settle: Callable[[], None] = _nothing
    """Clear away what was kept to go back to: once the change is proven, or the rollout over."""
    take_back: Callable[[Away], str | None] | None = None
    """Put back what ran before; says what does, None where nothing did. None: no way back."""
    prove_back: Callable[[], None] = _nothing
    """Prove what was put back."""

    @property
    def interrupts(self) -> bool:
        return any(change.interrupts for change in self.changes)

    @property
    def what(self) -> str:
        """What is being done, in a word."""
        return self.changes[0].action if len(self.changes) == 1 else self.changes[0].role


@dataclass
class _Changed:
    """The hosts that a rollout has changed and proven, and can go back on while it lasts."""

    is_kept: bool
    """Whether what they ran before is kept until the rollout is over."""
    treatments: list[Treatment] = field(default_factory=list)

    def proven(self, treatment: Treatment) -> None:
        if self.is_kept and treatment.interrupts and treatment.take_back:
            self.treatments.append(treatment)
        else:
            _settle(treatment)

    def go_back(self) -> None:
        """Put back what these hosts ran before, one by one, the last first.

        Ended by the first that fails to, and by Ctrl-C: who comes after serves as changed.
        """
        if self.treatments and not interrupt.requested():
            logger.error(f"Going back on: {_named(self.treatments[::-1])}")
        while self.treatments and not interrupt.requested():
            treatment = self.treatments.pop()
            failure = _gone_back(treatment)
            forget(treatment.host)
            if failure:
                logger.error(f"{treatment.host.name}: did not go back: {failure}")
                break
        if self.treatments:
            logger.error(f"As changed stay: {_named(self.treatments)}")
        exit_if_interrupted()

    def settle(self) -> None:
        for treatment in self.treatments:
            _settle(treatment)


def conduct(state: State, treatments: list[Treatment], pace: Pace, hosts: int) -> bool:
    """Carry treatments out; False where one failed.

    What interrupts goes in batches, of a part that runs on `hosts` hosts. No further batch is begun
    after more failures than `pace` allows, or when its time is over. After too many failures the
    hosts that were changed before go back, where `pace` wants that and there is a way back.
    """
    changed = _Changed(pace.on_failure == "rollback")
    try:
        failures, left, why = _carried_out(state, treatments, pace, hosts, changed)
        if left:
            logger.error(f"{why}; not yet touched: {_named(left)}")
        if len(failures) > pace.max_failures:
            changed.go_back()
    finally:
        changed.settle()
    return not (failures or left)


def _carried_out(
    state: State, treatments: list[Treatment], pace: Pace, hosts: int, changed: _Changed
) -> tuple[list[str], list[Treatment], str]:
    """Carry treatments out; return the failures, what was left untouched, and why it was."""
    began = time.monotonic()
    at_once = [t for t in treatments if not t.interrupts]
    batches = pace.batches([t for t in treatments if t.interrupts], hosts)
    failures = _treat_all(state, at_once, frozenset(), changed)
    for number, batch in enumerate(batches):
        left = [treatment for later in batches[number:] for treatment in later]
        if len(failures) > pace.max_failures:
            return failures, left, "The rollout stopped"
        if pace.limit_s is not None and time.monotonic() - began > pace.limit_s:
            return failures, left, f"The rollout took more than {pace.limit_s} s"
        if number:
            _pause(pace.pause_s, batch[0].host)
        if why_lost(batch[0].host):
            return failures, left, "The lease is lost"
        exit_if_interrupted(left)
        if len(batches) > 1:
            logger.info(f"    batch {number + 1} of {len(batches)}: {_named(batch)}")
        failures += _treat_all(state, batch, frozenset(t.host.name for t in batch), changed)
    return failures, [], ""


def _treat_all(
    state: State, treatments: list[Treatment], away: Away, changed: _Changed
) -> list[str]:
    """Treat hosts side by side; tell of each what went wrong with it, when it does."""
    found = Pool(AT_ONCE).map(lambda each: _treat(state, each, away, changed), treatments)
    failures = [failure for failure in found if failure]
    for failure in failures:
        logger.error(failure)
    return failures


def _named(treatments: list[Treatment]) -> str:
    return ", ".join(treatment.host.name for treatment in treatments)


def _pause(pause_s: int, host: Host) -> None:
    """Wait between two batches, unless the operator wants to go, or the run must."""
    ends = time.monotonic() + pause_s
    while time.monotonic() < ends and not (interrupt.requested() or why_lost(host)):
        gevent.sleep(POLL_S)


def wait_until(host: Host, missing: Callable[[], str | None], timeout_s: float) -> None:
    """Wait until `missing` returns None; what it returns says what is still to come.

    Raises:
        NotProven: it still returned something after `timeout_s` seconds.
        LeaseLost: nothing may be changed any more, whatever it is waited for.
    """
    start = time.monotonic()
    said = start
    while problem := missing():
        channel.raise_if_lost(host)
        now = time.monotonic()
        if now - start > timeout_s:
            raise NotProven(f"{problem}, {timeout_s:g} s after it should")
        if now - said > SAY_AFTER_S:
            host.log(f"waiting: {problem}")
            said = now
        gevent.sleep(POLL_S)


def exit_if_interrupted(left: list[Treatment] | None = None) -> None:
    """End the run between two steps where the operator pressed Ctrl-C."""
    if interrupt.requested():
        if left:
            logger.error(f"Not yet touched: {_named(left)}")
        logger.error("--> Interrupted; what was begun is finished, and nothing more was begun")
        sys.exit(interrupt.EXIT_CODE)


def _treat(state: State, treatment: Treatment, away: Away, changed: _Changed) -> str | None:
    """Treat one host; return what went wrong, and what it has come to."""
    forget(treatment.host)
    failure = _applied(treatment, away)
    if failure:
        return f"{treatment.host.name}: {treatment.what}: {failure}"
    changed.proven(treatment)
    for change in treatment.changes:
        done(state, change)
    return None


def _applied(treatment: Treatment, away: Away) -> str | None:
    """Apply and prove the change; where that fails put back what was before, and say so."""
    back = None
    try:
        with treatment.aside(away):
            try:
                treatment.apply(away)
            except FAILURES:
                back = _put_back(treatment, away)
                raise
    except FAILURES as error:
        return _told(treatment, str(error), back)
    failure = _error_of(treatment.prove)
    if failure:
        return _told(treatment, failure, _put_back_aside(treatment, away))
    return None


def _gone_back(treatment: Treatment) -> str | None:
    """Put back what a proven host ran before, out of service, and prove it; return what failed."""
    away = frozenset({treatment.host.name})
    assert treatment.take_back is not None, "there is no way back"
    try:
        with treatment.aside(away):
            back = treatment.take_back(away)
        if back:
            treatment.prove_back()
    except FAILURES as error:
        return str(error)
    treatment.host.log(f"has gone back: {f'{back}, and serves' if back else 'nothing ran before'}")
    return None


def _told(treatment: Treatment, failure: str, back: str | None) -> str:
    """Say what has failed, and what has become of what was before."""
    if back is None:
        return failure
    again = _error_of(treatment.prove_back)
    return f"{failure}; {back}, {f'but is not proven: {again}' if again else 'and serves'}"


def _error_of(step: Callable[[], None]) -> str | None:
    try:
        step()
    except FAILURES as error:
        return str(error)
    return None


def _put_back_aside(treatment: Treatment, away: Away) -> str | None:
    """Put back what ran before, out of service if that can be had: the new one may serve."""
    if treatment.take_back is None or why_lost(treatment.host):
        return None
    try:
        with treatment.aside(away):
            return _put_back(treatment, away)
    except FAILURES as error:
        treatment.host.log(f"is put back though callers may notice: {error}", logger.warning)
    return _put_back(treatment, away)


def _settle(treatment: Treatment) -> None:
    """What is proven serves, whatever could not be cleared away: the next run does that."""
    error = _error_of(treatment.settle)
    if error:
        treatment.host.log(f"was changed, but not tidied up: {error}", logger.warning)


def _put_back(treatment: Treatment, away: Away) -> str | None:
    """Nothing where the lease is lost: the next run goes on from there."""
    if treatment.take_back is None or why_lost(treatment.host):
        return None
    try:
        return treatment.take_back(away)
    except FAILURES as error:
        treatment.host.log(f"what ran before is not put back, or not proven: {error}", logger.error)
        return None
