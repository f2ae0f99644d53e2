"""Which proxies there are, and in which order a call tries them."""

import random
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from osp_common import last_known
from osp_common.registry import PROXIES_PATH, MemberWatch

SUSPECT_S = 2.0
LIST_NAME = "proxies"


class Rotation:
    """Takes turns, so that every proxy is used; one that just failed comes last for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = random.randrange(1000)
        self._suspect_until: dict[str, float] = {}

    def order(self, proxies: Iterable[str]) -> list[str]:
        """Return the proxies in the order in which the next call tries them."""
        names = sorted(proxies)
        if not names:
            return []
        with self._lock:
            first = self._turn % len(names)
            self._turn += 1
            now = time.monotonic()
            turned = names[first:] + names[:first]
            return sorted(turned, key=lambda name: self._suspect_until.get(name, 0.0) > now)

    def suspect(self, proxy: str) -> None:
        """Remember that `proxy` could not be reached."""
        with self._lock:
            self._suspect_until[proxy] = time.monotonic() + SUSPECT_S


class RegisteredProxies:
    """The proxies that the registry names; the last known ones while it can't be read or is empty.

    `known_file` keeps them for the next process, where it is given.
    """

    def __init__(self, hosts: str, session_timeout_s: float, known_file: Path | None) -> None:
        self._known_file = known_file
        known = last_known.load(known_file) if known_file else {}
        self._names = known.get(LIST_NAME, frozenset())
        self._was_read = threading.Event()
        self._watch = MemberWatch(hosts, [PROXIES_PATH], session_timeout_s, self._on_members)

    def names(self, timeout_s: float) -> frozenset[str]:
        """Return the proxies' `ip:port`; waits up to `timeout_s` for the first reading alone."""
        self._was_read.wait(timeout_s)
        return self._names

    def close(self) -> None:
        self._watch.close()

    def _on_members(self, members: Mapping[str, frozenset[str]] | None) -> None:
        if members is None:
            return
        names = members[PROXIES_PATH]
        if names and names != self._names:
            self._names = names
            if self._known_file:
                last_known.save(self._known_file, {LIST_NAME: names})
        self._was_read.set()
