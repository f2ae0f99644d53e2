"""A few connections at once through one bastion: sshd turns away more logins that are under way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from gevent.lock import BoundedSemaphore

from roles.access.bastions import Hop

AT_ONCE = 6
"""OpenSSH's MaxStartups begins to refuse at 10 that have not logged in yet; others come, too."""

_gates: defaultdict[Hop, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(AT_ONCE))


def gate(via: Sequence[Hop]) -> AbstractContextManager[object]:
    """To be held while a connection is made by way of `via`; the first bastion counts."""
    if not via:
        return nullcontext()
    held: AbstractContextManager[object] = _gates[via[0]]
    return held
