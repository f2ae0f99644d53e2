"""Send hosts away for a while: their engines and proxies serve on, and are called no more.

    pyinfra INVENTORY deploy/drain.py --limit HOST --data drain.reason=WHY --data drain.duration=2h

Deploys leave a drained host out, and say so. It comes back by itself when its time is over (1h,
where none is given), through reboots too; deploy/undrain.py has it back before.
Also: dockyard drain HOST.
"""

from roles.maintenance import drain
from roles.maintenance.deploy import send_away
from roles.run.survey import survey

survey((drain,), with_drained=True)

send_away()
