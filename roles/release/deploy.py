from __future__ import annotations

from pyinfra import state
from pyinfra.api import deploy

from roles.release.back import rolled_away
from roles.release.operations import back, release
from roles.run.current import current_fleet


@deploy("Release")
def record_release() -> None:
    """Have every host hold a record of what it runs, to go back to."""
    release(name="record", _run_once=True)


@deploy("Release")
def go_back() -> None:
    """Have the hosts hold that they run an earlier release, and pin what they ran."""
    back(rolled_away=rolled_away(current_fleet(state)), name="go back", _run_once=True)
