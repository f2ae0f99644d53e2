"""What a run does at pyinfra's own turning points."""

from __future__ import annotations

from weakref import WeakSet

from pyinfra.api import Host, State
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.state import BaseStateCallback

from roles.observed import forget
from roles.observed.sudo import hide_password
from roles.run.conductor import exit_if_interrupted

_CONNECT_ERROR = "dockyard_connect_error"
_prompted: WeakSet[State] = WeakSet()


class Callbacks(BaseStateCallback):
    @staticmethod
    def host_connect_error(state: State, host: Host, error: ConnectError) -> None:
        """Keep the error: the survey shows it beside all others."""
        host.connector_data[_CONNECT_ERROR] = str(error)

    @staticmethod
    def host_connect(state: State, host: Host) -> None:
        hide_password(host)

    @staticmethod
    def operation_start(state: State, op_hash: str) -> None:
        """End an interrupted run between two operations; after a prompt, look at the hosts anew.

        Somebody may have changed them while the operator was reading.
        """
        exit_if_interrupted()
        if state.should_check_for_changes() and state not in _prompted:
            _prompted.add(state)
            for host in state.inventory:
                forget(host)


def connect_error(host: Host) -> str:
    """Why pyinfra could not connect to a host."""
    error: str = host.connector_data.get(_CONNECT_ERROR, "no connection")
    return error


def listen(state: State) -> None:
    """Add the callbacks as soon as pyinfra has set its state up, which is before it connects."""
    set_up = state.init

    def init(*arguments: object, **more: object) -> None:
        set_up(*arguments, **more)  # type: ignore[arg-type]
        state.add_callback_handler(Callbacks())

    state.init = init  # type: ignore[method-assign]
