"""Read the registry, from where its users stand: through an SSH tunnel of one of the hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gevent import Timeout
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.handlers.threading import KazooTimeoutError
from pyinfra.api import Host

from roles.observed.tunnel import forwarded
from roles.run.address import endpoint, split_endpoints

CONNECT_S = 10.0
ASK_S = 3


class Registry:
    """An open session with the registry."""

    def __init__(self, client: KazooClient) -> None:
        self._client = client

    def has(self, path: str, name: str) -> bool | None:
        """Whether a node of this name stands below a path; None while that can't be told.

        Asked with a limit: kazoo itself waits for ever where the connection is lost.
        """
        try:
            return name in self._client.get_children_async(path).get(timeout=ASK_S)
        except NoNodeError:
            return False
        except (KazooException, KazooTimeoutError, Timeout):
            return None


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
            timeout=10.0,
        )
        try:
            client.start(timeout=CONNECT_S)
        except (KazooTimeoutError, TimeoutError) as error:
            raise ConnectionError(
                f"the registry at {connection} does not answer, asked from {via.name}"
            ) from error
        finally:
            stack.callback(_close, client)
        yield Registry(client)


def _close(client: KazooClient) -> None:
    client.stop()
    client.close()
