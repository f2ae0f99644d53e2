"""Read the registry, from where its users stand: through an SSH tunnel of one of the hosts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gevent import Timeout
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.handlers.threading import KazooTimeoutError
from pyinfra.api import Host

from roles.observed import channel
from roles.observed.tunnel import forwarded
from roles.run.address import endpoint, split_endpoints
from roles.run.who import who

CONNECT_S = 10.0
ASK_S = 3
SESSION_S = 10.0
"""How long what this session holds stays in the registry after the controller died."""
DRAIN_PATH = "/osp/drain"
"""Below it a node `ADDRESS:PORT` asks who is registered so to serve on, but be called no more. One
`ADDRESS:PORT@UNTIL` asks that until then, in seconds since 1970, also when who made it is gone."""

logging.getLogger("kazoo").addHandler(logging.NullHandler())
"""It tells of every lost connection; what comes of that is told where it matters."""

_UNTOLD = (KazooException, KazooTimeoutError, Timeout)


def _no_lease() -> None:
    return


@dataclass(frozen=True)
class Registry:
    """An open session with the registry.

    Asked with a limit: kazoo itself waits for ever where the connection is lost.
    """

    client: KazooClient
    ask_lease: Callable[[], None] = _no_lease
    """Raises where this run may change nothing more; asked before something is."""

    def names(self, folder: str) -> frozenset[str] | None:
        """The names of a folder's nodes; None while that can't be told."""
        try:
            return frozenset(self.client.get_children_async(folder).get(timeout=ASK_S))
        except NoNodeError:
            return frozenset()
        except _UNTOLD:
            return None

    def data(self, path: str) -> dict[str, Any]:
        """The JSON object that a node holds; empty where there is none, or none can be read."""
        try:
            found = json.loads(self.client.get_async(path).get(timeout=ASK_S)[0])
        except (*_UNTOLD, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def has(self, folder: str, name: str) -> bool | None:
        """Whether a node of this name stands in a folder; None while that can't be told."""
        names = self.names(folder)
        return None if names is None else name in names

    def mark(self, name: str, reason: str) -> bool:
        """Ask who is registered as `name` to drain, for as long as this session lives.

        Tells whether the mark was made now.
        """
        return self._create(f"{DRAIN_PATH}/{name}", {"reason": reason}, ephemeral=True)

    def has_marked(self, name: str) -> bool:
        """Whether the mark stands and is this session's: asked before anybody relies on it."""
        found = self._stat(f"{DRAIN_PATH}/{name}")
        return bool(found and found.owner_session_id == self.client.client_id[0])

    def unmark(self, name: str) -> None:
        """Take our mark away; where that can't be told now, it goes with the session.

        Never another's: a run that was suspended may wake up where the next one drains.
        """
        if self.has_marked(name):
            self._delete(f"{DRAIN_PATH}/{name}")

    def keep_marked(self, name: str, until: int, told: Mapping[str, str]) -> bool:
        """Ask who is registered as `name` to drain until then, whether this session lives or not.

        `told` is what the mark says besides. Tells whether this mark stands, and no other kept one.
        """
        mark, kept = f"{name}@{until}", self.kept_marks()
        others = [m for m in kept if m.startswith(f"{name}@") and m != mark]
        stands = mark in kept or self._create(f"{DRAIN_PATH}/{mark}", told)
        return stands and all(self.remove(DRAIN_PATH, other) for other in others)

    def unkeep(self, name: str) -> bool:
        """Take away every mark of `name` that is kept; tells whether they are gone."""
        names = self.names(DRAIN_PATH)
        kept = [mark for mark in names or () if mark.startswith(f"{name}@")]
        return names is not None and all(self.remove(DRAIN_PATH, mark) for mark in kept)

    def kept_marks(self) -> dict[str, int]:
        """Every mark that outlives who made it, with the time until which it means something."""
        found = {mark: mark.partition("@")[2] for mark in self.names(DRAIN_PATH) or ()}
        return {mark: int(until) for mark, until in found.items() if until.isdecimal()}

    def hosts_away(self, now: float) -> dict[str, dict[str, Any]]:
        """What the kept marks say that mean something now, by the host that they are about."""
        marks = [mark for mark, until in self.kept_marks().items() if until > now]
        told = [self.data(f"{DRAIN_PATH}/{mark}") for mark in marks]
        return {str(data["host"]): data for data in told if "host" in data}

    def _create(self, path: str, told: Mapping[str, str], ephemeral: bool = False) -> bool:
        """Make a node that says who made it, and when; tells whether it was made now."""
        self.ask_lease()
        since = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"by": who(), "since": since, **told}).encode()
        try:
            self.client.ensure_path_async(path.rpartition("/")[0]).get(timeout=ASK_S)
            self.client.create_async(path, text, ephemeral=ephemeral).get(timeout=ASK_S)
        except _UNTOLD:
            return False
        return True

    def made(self, folder: str, name: str) -> int | None:
        """Which transaction has made a node; None where there is none, or none can be told."""
        found = self._stat(f"{folder}/{name}")
        return int(found.creation_transaction_id) if found else None

    def _stat(self, path: str) -> Any:
        """What ZooKeeper tells about a node; None where there is none, or none can be told."""
        try:
            return self.client.exists_async(path).get(timeout=ASK_S)
        except _UNTOLD:
            return None

    def remove(self, folder: str, name: str) -> bool:
        """Remove a node; tells whether it is gone."""
        self.ask_lease()
        return self._delete(f"{folder}/{name}")

    def _delete(self, path: str) -> bool:
        try:
            self.client.delete_async(path).get(timeout=ASK_S)
        except NoNodeError:
            return True
        except _UNTOLD:
            return False
        return True


@contextmanager
def session(via: Host, connection: str) -> Iterator[Registry]:
    """Open a session with the registry at `host:port,...` as the host `via` reaches it.

    Raises:
        ConnectionError: no server answered within 10 s.
    """
    with ExitStack() as stack:
        near = []
        for address, port in split_endpoints(connection):
            near.append(stack.enter_context(forwarded(via, address, port)))
        client = KazooClient(
            hosts=",".join(endpoint(address, port) for address, port in near),
            handler=SequentialGeventHandler(),
            timeout=SESSION_S,
        )
        try:
            client.start(timeout=CONNECT_S)
        except (*_UNTOLD, TimeoutError) as error:
            raise ConnectionError(
                f"the registry at {connection} does not answer, asked from {via.name}"
            ) from error
        finally:
            stack.callback(close, client)
        yield Registry(client, lambda: channel.ask_lease(via.state, via))


def close(client: KazooClient) -> None:
    for end in (client.stop, client.close):
        with suppress(*_UNTOLD, OSError):
            end()
