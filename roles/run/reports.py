"""Deploy files that only tell of hosts: once, and also where no host can be connected to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from gevent.lock import BoundedSemaphore
from pyinfra import logger
from pyinfra.api import State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state
from pyinfra_cli import util

from roles.run.connecting import connect_error, unreached
from roles.run.merge import merged_data
from roles.run.wanted import LIST

REPORTS = {
    "verify.py": None,
    "status.py": None,
    "logs.py": None,
    "drift.py": None,
    "service.py": ("action", "status"),
    "rollback.py": ("release", LIST),
}
"""Deploy files that tell of hosts and end the run themselves; some only where the data says so."""

_locks: WeakKeyDictionary[State, BoundedSemaphore] = WeakKeyDictionary()


@contextmanager
def told_once() -> Iterator[State | None]:
    """Yield the state to the first that comes; to the others nothing, when that one has ended.

    pyinfra runs a deploy file once for each host, side by side. Where the first ends the run, the
    others wait here until it has.
    """
    state = ctx_state.get()
    is_first = state not in _locks
    lock = _locks.setdefault(state, BoundedSemaphore())
    lock.acquire()
    try:
        yield state if is_first else None
    except SystemExit:
        raise
    except BaseException:
        lock.release()
        raise
    lock.release()


def _tells(state: State, deploy: str) -> bool:
    name = Path(deploy).name
    if name not in REPORTS:
        return False
    only_where = REPORTS[name]
    if only_where is None:
        return True
    key, value = only_where
    return any(merged_data(host).get(key) == value for host in state.inventory)


def run_reports(state: State, deploys: tuple[str, ...]) -> None:
    """Have the reports among `deploys` run where pyinfra itself would end: no host is left."""
    fail: Callable[..., None] = state.fail_hosts
    go_on = state.set_stage

    def fail_hosts(hosts: Any, activated_count: int | None = None) -> None:
        try:
            fail(hosts, activated_count)
        except PyinfraError:
            if state.current_stage == StateStage.Connect and not state.active_hosts:
                for deploy in filter(partial(_tells, state), deploys):
                    util.exec_file(deploy)
                for host in state.inventory:
                    if state.is_host_in_limit(host):
                        logger.error(f"{host.name}: {unreached(host.name, connect_error(host))}")
            raise

    def set_stage(stage: StateStage) -> None:
        if stage > StateStage.Connect:
            state.fail_hosts = fail  # type: ignore[method-assign]
        go_on(stage)

    state.fail_hosts = fail_hosts  # type: ignore[method-assign]
    state.set_stage = set_stage  # type: ignore[method-assign]
