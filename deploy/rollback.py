"""Back to an earlier release, by what the hosts themselves have recorded.

    pyinfra INVENTORY deploy/rollback.py [--data release=NAME|list] [--dry] [-y] [--limit HOST]

`list` tells which releases there are, and changes nothing. Without `release` it goes to the one
before the current. A rollout like any other; what is rolled back is pinned: a deploy that would
bring it again is refused. group_data and build contexts here don't count: docs/operations.md.
"""

from roles.proxy.deploy import run_proxy
from roles.registry.deploy import run_registry
from roles.release.deploy import go_back
from roles.release.report import tell_releases
from roles.release.rollback import ROLES, recorded
from roles.run.survey import survey
from roles.sdk.deploy import run_sdk
from roles.soa_engine.deploy import run_engine

tell_releases()

survey(ROLES, recorded)

run_registry()
run_engine()
run_proxy()
run_sdk()
go_back()
