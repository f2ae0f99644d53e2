"""The main job: from a bare host to a running service system.

    pyinfra INVENTORY deploy/soa.py [--dry] [-y] [--limit HOST] [--data unpin=true]

--dry lists every change and makes none; -y does not ask. What was rolled back (deploy/rollback.py)
is refused, but for `unpin`.
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

survey()

set_up_host()
install_engine()
deliver_images()
run_registry()
run_engine()
run_proxy()
run_sdk()
record_release()
