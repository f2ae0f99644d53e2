"""No other way in is locked before the ordinary login has been seen to work."""

from __future__ import annotations

from pathlib import Path

from pyinfra import logger
from pyinfra.api import Host, State

from roles.access import login
from roles.host_setup.change import ROLE
from roles.run import options
from roles.run.merge import merged_data

BOOTSTRAP = "bootstrap.py"


def is_bootstrap() -> bool:
    """Whether this run may log in otherwise than the inventory says."""
    return any(Path(deploy).name == BOOTSTRAP for deploy in options.current().deploys)


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
