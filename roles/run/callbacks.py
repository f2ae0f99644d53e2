"""What a run that changes hosts does at pyinfra's own turning points."""

from __future__ import annotations

from weakref import WeakSet

from pyinfra.api import State

from roles.observed import forget
from roles.run.conductor import exit_if_interrupted
from roles.run.connecting import Connecting
from roles.run.lease import take_for_changes

_prompted: WeakSet[State] = WeakSet()


class Callbacks(Connecting):
    @staticmethod
    def operation_end(state: State, op_hash: str) -> None:
        exit_if_interrupted()

    @staticmethod
    def operation_start(state: State, op_hash: str) -> None:
        """After a prompt, look at the hosts anew; before the first change, take the lease.

        Somebody may have changed the hosts while the operator was reading.
        """
        if state.should_check_for_changes() and state not in _prompted:
            _prompted.add(state)
            for host in state.inventory:
                forget(host)
        take_for_changes(state)
