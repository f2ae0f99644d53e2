"""The hosts themselves alone: the operations user, name, clock, kernel, limits, logs, updates.

    pyinfra INVENTORY deploy/host.py [--dry] [-y] [--limit HOST]

What `host_setup` says in group_data/all.py. deploy/soa.py does it too, first of all.
"""

from roles.host_setup import plan as host_setup
from roles.host_setup.deploy import set_up_host
from roles.run.survey import survey

survey((host_setup,))

set_up_host()
