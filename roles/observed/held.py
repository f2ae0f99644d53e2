"""A command that a host holds ready, and runs by itself when nobody is left to ask for it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.queue import Queue
from pyinfra import logger
from pyinfra.api import Host, State

from roles.observed import channel
from roles.observed.holding import holding_of, why_lost

READY_S = 30
LOOK_S = 3
"""How often the host looks whether the run that it holds something ready for has its lease."""
LOST_S = 5
"""How long a run that has lost its lease waits for what the host says."""
DONE = b"done\n"
_HOLD = """\
limit_s=$1 look_s=$2 question=$3
shift 3
trap '' HUP PIPE
echo held
exec 3<&0
word=$(
    timeout "$limit_s" head -n 1 <&3 &
    reader=$!
    {
        while sleep "$look_s" && eval "$question"; do :; done
        kill "$reader"
    } >/dev/null 2>&1 </dev/null 3<&- &
    watch=$!
    wait "$reader"
    kill "$watch" 2>/dev/null
)
[ "$word" = done ] || "$@" </dev/null 3<&-
"""
"""The reader is ended from outside only where nobody is left to be heard: no word is lost."""


@contextmanager
def held(
    state: State, host: Host, command: list[str], *, limit_s: float, takes_s: float
) -> Iterator[None]:
    """Have a host ready to run a command, which may take `takes_s`, as long as the `with` lasts.

    It runs it where the `with` ends by an error, where this process dies or the connection breaks,
    where this run has a lease there and that runs out, and after `limit_s`. Where the `with` ends
    well it does nothing.

    Raises:
        RemoteError: the host did not get ready; it runs nothing then.
    """
    words: Queue[bytes | None] = Queue()
    is_ready = Event()
    lease = holding_of(host)
    question = shlex.join(lease.question) if lease else "true"
    line = ["sh", "-c", _HOLD, "held", f"{limit_s:g}", f"{LOOK_S:g}", question, *command]

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
        _await_end(host, holding, READY_S + takes_s)
        raise
    words.put(DONE)
    words.put(None)
    _await_end(host, holding, READY_S)


def _await_end(host: Host, holding: gevent.Greenlet, limit_s: float) -> None:
    """Wait for the host's last word, on a connection that may be dead; say what was wrong.

    Not for long where the lease is lost: the run may do nothing more, and the host acts by itself.
    """
    ends_s = time.monotonic() + limit_s
    while not holding.ready() and time.monotonic() < ends_s:
        if why_lost(host):
            holding.join(LOST_S)
            break
        holding.join(1)
    error = holding.value
    if not holding.ready():
        holding.kill(block=False)
        error = "what became of what it holds ready is not known: it does not say"
    if error:
        host.log(str(error), logger.warning)
