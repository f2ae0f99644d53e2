"""A command that a host holds ready, and runs by itself when nobody is left to ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.queue import Queue
from pyinfra import logger
from pyinfra.api import Host, State

from roles.observed import channel

READY_S = 30
DONE = b"done\n"
_HOLD = """\
limit_s=$1
shift
trap '' HUP PIPE
echo held
word=$(timeout "$limit_s" head -n 1)
[ "$word" = done ] || "$@"
"""


@contextmanager
def held(
    state: State, host: Host, command: list[str], *, limit_s: float, takes_s: float
) -> Iterator[None]:
    """Have a host ready to run a command, which may take `takes_s`, as long as the `with` lasts.

    It runs it where the `with` ends by an error, where this process dies or the connection breaks,
    and after `limit_s`. Where the `with` ends well it does nothing.

    Raises:
        RemoteError: the host did not get ready; it runs nothing then.
    """
    words: Queue[bytes | None] = Queue()
    is_ready = Event()
    line = ["sh", "-c", _HOLD, "held", f"{limit_s:g}", *command]

    def hold() -> channel.RemoteError | None:
        try:
            channel.run(
                state,
                host,
                line,
                stdin=iter(words.get, None),
                on_stdout=lambda chunk: is_ready.set(),
                timeout_s=limit_s + takes_s,
                called="what the host holds ready",
            )
        except channel.RemoteError as error:
            return error
        return None

    holding = gevent.spawn(hold)
    gevent.wait([is_ready, holding], timeout=READY_S, count=1)
    if not is_ready.is_set():
        words.put(DONE)
        words.put(None)
        raise holding.value or channel.RemoteError("the host holds nothing ready")
    try:
        yield
    except BaseException:
        words.put(None)
        if error := holding.get():
            host.log(str(error), logger.warning)
        raise
    words.put(DONE)
    words.put(None)
    holding.join()
