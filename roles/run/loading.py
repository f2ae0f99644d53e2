"""Loading what a command needs: most of what a short one takes is Python loading its modules."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

SELDOM_USED = "invoke"
"""paramiko imports it, and uses it for `Match exec` in an ssh_config alone."""


@contextmanager
def quickly() -> Iterator[None]:
    """Load modules without what they don't need yet, and without looking for garbage meanwhile."""
    _load_at_first_use(SELDOM_USED)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is loaded stays
        gc.enable()


def in_steps(names: Iterable[str]) -> None:
    """Load modules one after the other; between two of them, what waits for hosts goes on."""
    from gevent import sleep

    with quickly():
        for name in names:
            import_module(name)
            sleep(0.0005)


def _load_at_first_use(name: str) -> None:
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    late, loader = module_from_spec(spec), spec.loader

    def load(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        del late.__getattr__
        loader.exec_module(late)
        return getattr(late, attribute)

    late.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[name] = late
