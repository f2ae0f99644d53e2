"""No other way in is locked before the ordinary login has been seen to work."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.connectors.ssh import SSHConnector

from roles.access import login
from roles.host_setup.change import LOCK, ROLE
from roles.host_setup.plan import changes
from roles.run.fleet import Fleet
from roles.run.merge import merged_data
from roles.run.problems import Problem


def unprovable(state: State, fleet: Fleet) -> Iterator[Problem]:
    """Hosts that are reached without SSH: no login can be tried before others are taken away."""
    for member in fleet:
        host = state.inventory.get_host(member.name)
        if not member.in_limit or isinstance(host.connector, SSHConnector):
            continue
        for change in changes(member):
            if change.kind in LOCK:
                key = "exclusive" if change.kind == "others" else "lock_passwords"
                text = (
                    "this host is not reached by SSH, so no login by key can be seen to work "
                    f"before this: {change.action}; set {key} to False for it, or have the "
                    "inventory reach it by SSH"
                )
                yield Problem(member.name, f"{ROLE}.user.{key}", text)


def prove(state: State, host: Host, locks: bool) -> bool:
    """Log in as the inventory says; False ends the host's run, with the reason told.

    `locks` where passwords are about to be locked, by which the inventory must not log in then.
    """
    key = f"{host.name}: {ROLE}.user"
    if locks and merged_data(host).get("ssh_password"):
        logger.error(
            f"{key}.lock_passwords: the inventory logs in with ssh_password, which would lead "
            "nowhere then; name a key there (ssh_key), or set lock_passwords to False"
        )
        return False
    why = login.prove(state, host)
    if why is not None:
        logger.error(
            f"{key}: the ordinary login does not work yet, so no other was locked; "
            f"compare ssh_user, ssh_key and _sudo of the inventory with host_setup.user: {why}"
        )
    return why is None
