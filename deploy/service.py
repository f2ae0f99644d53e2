"""The Docker engine's service, by the operator's hand.

    pyinfra INVENTORY deploy/service.py --data action=status|start|stop|restart [--limit HOST]

Hosts that serve are drained first, one by one, and proven after. A stopped engine stays down until
`action=start`, or a reboot.
"""

from roles.docker_engine import service
from roles.docker_engine.deploy import operate_service
from roles.run.survey import survey

survey((service,))

operate_service()
