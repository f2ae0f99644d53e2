"""How pyinfra comes to connect to the hosts, and what is told where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatch

from pyinfra.api import Host, State
from pyinfra.api.exceptions import ConnectError, InventoryError, PyinfraError
from pyinfra.api.state import BaseStateCallback
from pyinfra.connectors.ssh import SSHConnector

from roles.access import login
from roles.observed.holding import guard_operations
from roles.observed.noise import ignore_noise, take_any_bytes
from roles.observed.sudo import hide_password

AT_ONCE = 50
"""How many hosts are connected to, or asked, at the same time."""
KEEPALIVE_S = 30
"""A long build says nothing for minutes; a firewall on the way would forget the connection."""

_CONNECT_ERROR = "dockyard_connect_error"


class Connecting(BaseStateCallback):
    @staticmethod
    def host_before_connect(state: State, host: Host) -> None:
        """Have data that pyinfra can't connect with (no such key file) told like the rest.

        And where a first access was prepared, have it tried where the ordinary login fails.
        """
        connect = host.connector.connect

        def connect_or_tell() -> None:
            try:
                connect()
            except ConnectError:
                raise
            except PyinfraError as error:
                raise ConnectError(str(error)) from error

        def connect_somehow() -> None:
            login.connect(state, host, connect_or_tell)

        host.connector.connect = connect_somehow  # type: ignore[method-assign]

    @staticmethod
    def host_connect_error(state: State, host: Host, error: ConnectError) -> None:
        """Keep the error: the survey shows it beside all others."""
        host.connector_data[_CONNECT_ERROR] = str(error)

    @staticmethod
    def host_connect(state: State, host: Host) -> None:
        hide_password(host)
        ignore_noise(host)
        guard_operations(host)
        if isinstance(host.connector, SSHConnector) and host.connector.client:
            transport = host.connector.client.get_transport()
            if transport:
                transport.set_keepalive(KEEPALIVE_S)


def connect_error(host: Host) -> str:
    """Why pyinfra could not connect to a host."""
    error: str = host.connector_data.get(_CONNECT_ERROR, "no connection")
    return error


def is_other_key(why: str) -> bool:
    """Whether a host was not connected to because of the key that it showed: it may be another."""
    return "host key" in why.lower()


def is_no_login(why: str) -> bool:
    """Whether a host was reached, and let nobody in."""
    return "authentication" in why.lower()


def briefly(why: str) -> str:
    """What a host that was not connected to does, before a comma."""
    return "lets no such login in" if is_no_login(why) else "can't be reached"


def unreached(name: str, why: str) -> str:
    """That a host was not connected to, and what to do where it answers as another, or refuses."""
    if is_other_key(why):
        return (
            "its host key is not the one that is known; compare it at the host's console first "
            f"(`dockyard hostkeys scan {name}` shows both, `trust` or `rotate` pins): {why}"
        )
    mend = "; mend that, or take it in (dockyard bootstrap)" if is_no_login(why) else ""
    return f"{briefly(why)}{mend}: {why}"


def listen(
    state: State,
    limit: Iterable[str] = (),
    handler: type[Connecting] = Connecting,
    before_connect: Callable[[State], None] | None = None,
) -> None:
    """Have callbacks handled as soon as pyinfra has set its state up, which is before it connects.

    A `limit` that names nothing ends the run: pyinfra would do nothing, and call that a success.
    `before_connect` is called last, when the inventory and its limit are known.
    """
    set_up = state.init

    def init(*arguments: object, **more: object) -> None:
        set_up(*arguments, **more)  # type: ignore[arg-type]
        if not len(state.inventory):
            raise InventoryError("the inventory lists no host; add one, or name another inventory")
        for pattern in limit:
            names = (*(host.name for host in state.inventory), *state.inventory.groups)
            if not any(fnmatch(name, pattern) for name in names):
                raise InventoryError(
                    f"{pattern}: the inventory has no such host, nor a group for --limit, and "
                    "nothing was done; of several, each takes a --limit of its own"
                )
        state.add_callback_handler(handler())
        take_any_bytes()
        if before_connect:
            before_connect(state)

    state.init = init  # type: ignore[method-assign]
