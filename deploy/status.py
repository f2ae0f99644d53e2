"""Who runs what, since when, and which hosts are drained; reads them, and changes nothing.

    pyinfra INVENTORY deploy/status.py [--limit HOST]

Exits with 1 where a host can't be read, or a part of it does not run. Also: dockyard status.
"""

from roles.maintenance.status import tell_status

tell_status()
