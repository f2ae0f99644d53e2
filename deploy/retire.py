"""Hosts leave for good: called no more, then emptied of what Dockyard ran there.

    pyinfra INVENTORY deploy/retire.py --limit HOST [--data purge=true] [--data host_list=FILE]
        [--dry] [-y]

Their containers and images go; directories with data and logs only with `purge`. The Docker engine
and the host's own settings stay. Where a server of the registry leaves, the others are told the new
list of its addresses by an ordinary rollout. Who has left is taken out of the YAML list of hosts:
that of the inventory's name beside it, or `host_list`. Also: dockyard retire HOST.
"""

from roles.proxy.deploy import run_proxy
from roles.registry.deploy import run_registry
from roles.release.deploy import record_release
from roles.retire.deploy import ROLES, retire_hosts, strike_from_list
from roles.run.survey import survey
from roles.sdk.deploy import run_sdk
from roles.soa_engine.deploy import run_engine

survey(ROLES, moves="leaving")

run_registry()
retire_hosts()
run_engine()
run_proxy()
run_sdk()
record_release()
strike_from_list()
