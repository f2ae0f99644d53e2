"""Log in to a host that may be new: as the inventory says, else by the first access."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paramiko import AuthenticationException, BadHostKeyException, PKey, SSHException
from pyinfra.api import Host, State
from pyinfra.api.arguments import auth_argument_meta
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import extract_callable_datas
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.sshuserclient.client import SSHClient, get_ssh_config

from roles.access.gate import gate
from roles.access.place import STRICT, be_strict, place_of
from roles.observed import channel

if TYPE_CHECKING:
    from roles.access.secret import Secret
    from roles.access.spec import AccessSpec

ASK_S = 30
SUDO_PROMPTED = "prompted_sudo_password"
"""Where pyinfra keeps a sudo password that it was told; `--debug-operations` doesn't show it."""
OF_LOGIN = frozenset(
    {
        "username",
        "password",
        "pkey",
        "key_filename",
        "passphrase",
        "allow_agent",
        "look_for_keys",
        "auth_strategy",
    }
)
"""What paramiko takes for logging in; nothing of it that the inventory says goes beside ours."""
NOBODY = ("no authentication methods available", "too many authentication failures")

NO_BASTION = "a bastion on the way does not let this account in"

ACCESS = "dockyard_first_access"
"""Where a host's first access is kept."""

_OVERRIDDEN = ("ssh_user", *auth_argument_meta)
_PROMPTED_BEFORE = "dockyard_prompted_before"


@dataclass(frozen=True)
class FirstAccess:
    """What a new host is logged in to with, each tried once."""

    spec: AccessSpec
    key: PKey | None = None
    password: Secret | None = None
    sudo_password: Secret | None = None


def connect(state: State, host: Host, ordinary: Callable[[], None]) -> None:
    """Connect to a host by `ordinary`; where that lets nobody in, by the first access, if any.

    By the first access every command runs as root, until the host is connected to anew.

    Raises:
        ConnectError: neither way leads in, or not to root; each secret was tried once.
    """
    if not isinstance(host.connector, SSHConnector):
        return ordinary()
    place = place_of(host)
    with gate(place.via if place else ()):
        _connect(state, host, ordinary)


def _connect(state: State, host: Host, ordinary: Callable[[], None]) -> None:
    access: FirstAccess | None = host.connector_data.get(ACCESS)
    if access is None:
        return ordinary()
    _be_ordinary(host)
    try:
        ordinary()
    except ConnectError as error:
        if not _lets_nobody_in(error):
            raise
        if not _has_reached(getattr(host.connector, "client", None)):
            raise ConnectError(f"{NO_BASTION}: {error}") from error
        if not access.spec.can_log_in:
            raise ConnectError(
                f"{error}; where the host is new, say access.key, or access.password"
            ) from error
        why = str(error)
    else:
        not_root = _why_not_root(state, host)
        if not_root is None or not access.spec.can_log_in:
            return None
        why = not_root
        _close(host)
    _log_in(host, access, why)
    _become_root(host, access)
    if not_root := _why_not_root(state, host):
        _close(host)
        raise ConnectError(f"the first access as {access.spec.user}: {not_root}")
    return None


def prove(state: State, host: Host) -> str | None:
    """Open a second connection as the inventory alone says, and run a command as root there.

    Returns why that can't be done; None where it was done, or where no connection is needed.
    """
    if not isinstance(host.connector, SSHConnector):
        return None
    twin = Host(host.name, host.inventory, host.groups, host.connector_cls)
    twin.init(state)
    be_strict(twin)
    prompted = _PROMPTED_BEFORE if _PROMPTED_BEFORE in host.connector_data else SUDO_PROMPTED
    twin.connector_data[SUDO_PROMPTED] = host.connector_data.get(prompted)
    place = place_of(twin)
    try:
        with gate(place.via if place else ()):
            twin.connector.connect()
        return _why_not_root(state, twin)
    except PyinfraError as error:
        return str(error)
    finally:
        _close(twin)


def entered_once(host: Host) -> bool:
    """Whether a host is logged in to by its first access, since the inventory's login failed."""
    return _PROMPTED_BEFORE in host.connector_data


def ordinary_user(host: Host) -> str:
    """Who the inventory logs in as, by SSH; where it does not say, its ssh_config or this account.

    By the first access or not: `host.connector.data` is what the inventory says.
    """
    data = host.connector.data
    if data["ssh_user"]:
        return str(data["ssh_user"])
    config = get_ssh_config(data["ssh_config_file"])
    said = config.lookup(data["ssh_hostname"] or host.name) if config else {}
    return str(said.get("user") or getpass.getuser())


def has_ordinary_sudo(host: Host) -> bool:
    """Whether the inventory, or the command line, has the ordinary login use sudo."""
    for data in extract_callable_datas(host.data.datas[1:]):  # the first is what we have set
        with suppress(KeyError):
            return bool(data["_sudo"])
    return bool(host.state.config.SUDO)


def _lets_nobody_in(error: ConnectError) -> bool:
    """Whether the server was reached, showed its key, and took no credential."""
    cause = error.__context__
    if isinstance(cause, AuthenticationException):
        return True
    return isinstance(cause, SSHException) and any(text in str(cause).lower() for text in NOBODY)


def _has_reached(client: SSHClient | None) -> bool:
    """Whether a connection came to the host itself; else it was a bastion that refused."""
    return client is not None and client.get_transport() is not None


def _why_not_root(state: State, host: Host) -> str | None:
    """Why commands do not run as root; None where they do."""
    try:
        found = channel.run(
            state, host, ["id", "-u"], timeout_s=ASK_S, guarded=False, reads=True
        ).text
    except channel.RemoteError as error:
        text = " ".join(str(error).split())
        return f"can't become root by sudo: {_mend(text)}{text}"
    return None if found == "0" else f"commands run as user {found}, expected root; say _sudo: True"


def _mend(text: str) -> str:
    if "not found" in text or "No such file" in text:
        return "there is no sudo on that host; install it, or log in as root: "
    if "password is required" in text:
        return "it asks for a password; say access.sudo_password, or _sudo_password: "
    if "incorrect password" in text or "not in the sudoers file" in text:
        return "sudo refused the user, or its password (one try was made): "
    return ""


def _log_in(host: Host, access: FirstAccess, why: str) -> None:
    """Log in with the key, then with the password; each once, and nothing beside it."""
    refused: list[str] = []
    for what, credential in _credentials(access):
        client = SSHClient()
        try:
            client.connect(
                host.connector.data["ssh_hostname"] or host.name,
                **_how(host, access.spec.user),
                **credential,
            )
        except AuthenticationException as error:
            if not _has_reached(client):
                raise ConnectError(f"{NO_BASTION}: {error}") from error
            client.close()
            refused.append(f"{what} was refused, one try was made ({error})")
        except BadHostKeyException as error:
            client.close()
            raise ConnectError("SSH host key error (it is not the pinned one)") from error
        except (OSError, EOFError, SSHException) as error:
            client.close()
            text = str(error) or type(error).__name__
            raise ConnectError(f"the first access as {access.spec.user}: {text}") from error
        else:
            host.connector.client = client  # type: ignore[attr-defined]
            return
    raise ConnectError(
        f"the first access as {access.spec.user}: {'; '.join(refused)}. "
        f"The inventory's own login: {why}"
    )


def _credentials(access: FirstAccess) -> Iterator[tuple[str, dict[str, Any]]]:
    if access.key:
        yield f"the key {access.spec.key}", {"pkey": access.key, "password": None}
    if access.password:
        yield "the password", {"pkey": None, "password": access.password.reveal()}


def _how(host: Host, user: str) -> dict[str, Any]:
    """What the connection is made with, but for the credential.

    That always says a `pkey`, None too, which keeps the keys of an ssh_config away.
    """
    data = host.connector.data
    more = data["ssh_paramiko_connect_kwargs"] or {}
    port = int(data["ssh_port"] or 0)
    return {
        "username": user,
        **({"port": port} if port else {}),
        "timeout": host.state.config.CONNECT_TIMEOUT,
        "allow_agent": False,
        "look_for_keys": False,
        "_pyinfra_ssh_forward_agent": False,
        "_pyinfra_ssh_config_file": data["ssh_config_file"],
        "_pyinfra_ssh_known_hosts_file": data["ssh_known_hosts_file"],
        f"_pyinfra_{STRICT}": "yes",
        "_pyinfra_ssh_paramiko_connect_kwargs": {
            key: value for key, value in more.items() if key not in OF_LOGIN
        },
    }


def _become_root(host: Host, access: FirstAccess) -> None:
    """Have all commands of this connection run as root."""
    by_sudo = access.spec.user != "root"
    for key in auth_argument_meta:
        setattr(host.data, key, None if key.endswith(("_user", "_password", "_shell")) else False)
    host.data.ssh_user = access.spec.user
    host.data._sudo = by_sudo
    host.connector_data[_PROMPTED_BEFORE] = host.connector_data.get(SUDO_PROMPTED)
    host.connector_data[SUDO_PROMPTED] = (
        access.sudo_password.reveal() if by_sudo and access.sudo_password else None
    )


def _be_ordinary(host: Host) -> None:
    """Take back what `_become_root` has said: the inventory's own login is tried anew."""
    for key in _OVERRIDDEN:
        host.data.override_datas.pop(key, None)
    if _PROMPTED_BEFORE in host.connector_data:
        host.connector_data[SUDO_PROMPTED] = host.connector_data.pop(_PROMPTED_BEFORE)


def _close(host: Host) -> None:
    client = getattr(host.connector, "client", None)
    if client:
        client.close()
        host.connector.client = None  # type: ignore[attr-defined]
