"""The registry and the proxies alone, for when proxies must change before engines do.

    pyinfra INVENTORY deploy/proxy.py [--dry] [-y] [--limit HOST]

deploy/soa.py changes engines first, since proxies prove nothing without them. Where the registry
has moved that can't be: the proxies, which have to let each engine go, still listen to the old one.
docs/operations.md tells more.

What was rolled back is refused here, too. No release is recorded: the next deploy/soa.py does that.
"""

from roles.images import plan as images
from roles.images.deploy import deliver_images
from roles.proxy import plan as proxy
from roles.proxy.deploy import run_proxy
from roles.registry import plan as registry
from roles.registry.deploy import run_registry
from roles.release.pins import Pins
from roles.run.survey import survey

survey((images, registry, proxy, Pins((registry.ROLE, proxy.ROLE))))

deliver_images()
run_registry()
run_proxy()
