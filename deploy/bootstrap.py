"""New hosts join the running system in one command.

    pyinfra INVENTORY deploy/bootstrap.py --limit NEW [--dry] [-y]

The same as deploy/soa.py; and where a new host is one of the registry's, those are told its address
too whose containers need it, though they are outside the limit. The run says which.
"""

from roles.docker_engine.deploy import install_engine
from roles.images.deploy import deliver_images
from roles.proxy.deploy import run_proxy
from roles.registry.deploy import run_registry
from roles.release.deploy import record_release
from roles.run.survey import survey
from roles.sdk.deploy import run_sdk
from roles.soa_engine.deploy import run_engine

survey(joining=True)

install_engine()
deliver_images()
run_registry()
run_engine()
run_proxy()
run_sdk()
record_release()
