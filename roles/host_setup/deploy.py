from __future__ import annotations

from pyinfra import host, state
from pyinfra.api import deploy

from roles.host_setup.operations import account, is_login_new, locks, system
from roles.run.current import current_fleet


@deploy("Host setup")
def set_up_host() -> None:
    """Have the operations user, and the host itself, as they are wanted."""
    is_new = is_login_new(host, current_fleet(state)[host.name])
    account(name="the operations user")
    locks(name="no other way in", is_new=is_new)
    system(name="the host itself")
