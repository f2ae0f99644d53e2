"""Reboot hosts one after the other, and lose no request.

    pyinfra INVENTORY deploy/reboot.py [--limit HOST]

Each is drained before, and proven after: its engine and proxy are called again before the next host
goes. The registry's leader goes last.
"""

from roles.maintenance import reboot
from roles.maintenance.deploy import reboot_hosts
from roles.run.survey import survey

survey((reboot,), with_drained=True)

reboot_hosts()
