from __future__ import annotations

from pyinfra.api import deploy

from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.release import plan as release
from roles.retire import plan as retire
from roles.retire.operations import host_list, hosts
from roles.run.survey import Role
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine

ROLES: tuple[Role, ...] = (retire, registry, soa_engine, proxy, sdk, release)
"""In the order in which deploy/retire.py composes them: nothing is installed or built."""


@deploy("Retire")
def retire_hosts() -> None:
    """Have the hosts of the limit leave: drained, deregistered, emptied of what Dockyard ran."""
    hosts(name="hosts", _run_once=True)


@deploy("Host list")
def strike_from_list() -> None:
    """Have who has left be listed no more; the last step, so that what was cut off goes on."""
    host_list(name="host list", _run_once=True)
