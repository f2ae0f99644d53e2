"""The Docker engine's service, by the operator's hand.

    pyinfra INVENTORY deploy/service.py --data action=status|start|stop|restart [--limit HOST]

`status` reads, changes nothing, and exits with 1 where an engine does not answer or a part is down.
The others go host by host: drained before, proven after. A stopped engine stays down until `start`.
"""

from roles.docker_engine import service
from roles.docker_engine.deploy import operate_service
from roles.docker_engine.status import tell_status
from roles.run.survey import survey

tell_status()

survey((service,), with_drained=True)

operate_service()
