"""A point that no host passes before every host has reached it."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand


@operation()
def fence() -> Generator[PyinfraCommand, None, None]:
    """Order the operations of different hosts; call it on every host.

    pyinfra sorts operations by level: one that only some hosts call does not wait for those that
    only others call. An operation that every host calls, even an empty one, is waited for.
    """
    return
    yield
