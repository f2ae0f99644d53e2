"""The one driver of whatever interrupts: host by host, drained before, proven after.

It waits for acknowledgements, never for a fixed time. What interrupts nothing (a container that is
not there yet) is done on all hosts at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.pool import Pool
from pyinfra import logger
from pyinfra.api import Host, State

from roles.observed import channel, forget
from roles.observed.parse import ProbeError
from roles.run import interrupt
from roles.run.changes import Change
from roles.run.report import done

POLL_S = 0.2
SAY_AFTER_S = 5
AT_ONCE = 20


class NotProven(Exception):
    """What should have come about did not, in its time; the text says what is missing."""


FAILURES = (NotProven, channel.RemoteError, ProbeError, OSError)
"""How a step fails; OSError is a connection, to the registry for one. All else is a mistake."""


@dataclass(frozen=True)
class Treatment:
    """What is done to one host: each step raises where it fails."""

    host: Host
    changes: tuple[Change, ...]
    drain: Callable[[], None]
    apply: Callable[[], None]
    prove: Callable[[], None]
    undrain: Callable[[], None]
    """Undo `drain`, where the treatment ends between it and `apply`."""

    @property
    def interrupts(self) -> bool:
        return any(change.interrupts for change in self.changes)

    @property
    def what(self) -> str:
        """What is being done, in a word."""
        return self.changes[0].action if len(self.changes) == 1 else self.changes[0].role


def conduct(state: State, treatments: list[Treatment]) -> bool:
    """Carry treatments out; False where one failed. The first failure ends the rollout."""
    at_once = [t for t in treatments if not t.interrupts]
    in_turn = [t for t in treatments if t.interrupts]
    failures = [f for f in Pool(AT_ONCE).map(lambda t: _treat(state, t), at_once) if f]
    while in_turn and not failures:
        if interrupt.requested():
            logger.error(f"Not yet touched: {_named(in_turn)}")
        exit_if_interrupted()
        failure = _treat(state, in_turn.pop(0))
        failures += [failure] if failure else []
    for failure in failures:
        logger.error(failure)
    if failures and in_turn:
        logger.error(f"The rollout stopped; not yet touched: {_named(in_turn)}")
    return not failures


def _named(treatments: list[Treatment]) -> str:
    return ", ".join(treatment.host.name for treatment in treatments)


def wait_until(host: Host, missing: Callable[[], str | None], timeout_s: float) -> None:
    """Wait until `missing` returns None; what it returns says what is still to come.

    Raises:
        NotProven: it still returned something after `timeout_s` seconds.
    """
    start = time.monotonic()
    said = start
    while problem := missing():
        now = time.monotonic()
        if now - start > timeout_s:
            raise NotProven(f"{problem}, {timeout_s:g} s after it should")
        if now - said > SAY_AFTER_S:
            host.log(f"waiting: {problem}")
            said = now
        gevent.sleep(POLL_S)


def exit_if_interrupted() -> None:
    """End the run between two steps where the operator pressed Ctrl-C."""
    if interrupt.requested():
        logger.error("--> Interrupted; what was begun is finished, the rest was not touched")
        sys.exit(interrupt.EXIT_CODE)


def _treat(state: State, treatment: Treatment) -> str | None:
    """Treat one host; return what went wrong."""
    host = treatment.host
    forget(host)
    try:
        _out_of_service(treatment)
        treatment.prove()
    except FAILURES as error:
        return f"{host.name}: {treatment.what}: {error}"
    for change in treatment.changes:
        done(state, change)
    return None


def _out_of_service(treatment: Treatment) -> None:
    """Drain a host and apply the change. It is undrained whatever ends that early."""
    try:
        treatment.drain()
        treatment.apply()
    except BaseException:
        try:
            treatment.undrain()
        except FAILURES as error:
            treatment.host.log(f"was not undrained: {error}", log_func=logger.error)
        raise
