"""A new host joins: from a bare one with a root password or a first key to a serving member.

    pyinfra INVENTORY deploy/bootstrap.py --limit NEW [--limit NEW2] [--dry] [-y]
        [--data access.user=debian] [--data access.key=FILE] [--data access.password=prompt]

For hosts that the inventory lists; `dockyard bootstrap` lists one, and then does this. Host keys
are compared, or confirmed once, and pinned. Where the inventory's own login fails, `access` says
how a host is first logged in to (group_data/all.py). All that follows is deploy/soa.py; where a new
host is one of the registry's, those are told its address, too, that are outside the limit. --dry
changes no host; keys are pinned all the same.
"""

from roles.docker_engine.deploy import install_engine
from roles.host_setup.deploy import set_up_host
from roles.images.deploy import deliver_images
from roles.proxy.deploy import run_proxy
from roles.registry.deploy import run_registry
from roles.release.deploy import record_release
from roles.run.survey import survey
from roles.sdk.deploy import run_sdk
from roles.soa_engine.deploy import run_engine

survey(moves="joining")

set_up_host()
install_engine()
deliver_images()
run_registry()
run_engine()
run_proxy()
run_sdk()
record_release()
