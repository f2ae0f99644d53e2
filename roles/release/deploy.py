from __future__ import annotations

from weakref import WeakKeyDictionary

from pyinfra import state
from pyinfra.api import State, deploy
from pyinfra.context import ctx_state

from roles.release.back import rolled_away
from roles.release.operations import back, release
from roles.release.plan import plan
from roles.run.changes import Change
from roles.run.current import current_fleet

_announced: WeakKeyDictionary[State, tuple[Change, ...]] = WeakKeyDictionary()


@deploy("Release")
def record_release() -> None:
    """Have every host hold a record of what it runs, to go back to."""
    run = ctx_state.get()
    if run not in _announced:  # this is called for each host, and plans for all
        _announced[run] = tuple(plan(current_fleet(run)))
    release(announced=_announced[run], name="record", _run_once=True)


@deploy("Release")
def go_back() -> None:
    """Have the hosts hold that they run an earlier release, and pin what they ran."""
    back(rolled_away=rolled_away(current_fleet(state)), name="go back", _run_once=True)
