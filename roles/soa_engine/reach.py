"""Whether every proxy's host reaches an engine under the address that it has registered."""

from __future__ import annotations

import http.client
from itertools import product

from gevent.pool import Pool
from pyinfra.api import State

from roles.observed.holding import dropped
from roles.observed.tunnel import forwarded, reaches
from roles.proxy.plan import ROLE as PROXY
from roles.run.address import split_endpoint
from roles.run.conductor import NotProven, wait_until
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import ROLE, engine, running_name

REACHED_S = 5
CONNECT_S = 3
CALL_S = 10
AT_ONCE = 20
MARKS = {True: "yes", False: "NO", None: "?"}

Matrix = dict[tuple[str, str], bool | None]
"""By a proxy's host and an engine's `ADDRESS:PORT`: whether the one reaches the other; None where
the host can't be asked."""


def prove_reached(state: State, fleet: Fleet, member: Member, name: str) -> None:
    """Connect to an engine from every proxy's host, and call it where it says what to ask.

    Not from one that is drained, or that the run goes on without: it may be switched off.

    Raises:
        NotProven: one can't connect, and the text has the matrix of all with all; or the engine did
            not answer the call.
    """
    callers = _callers(state, fleet, member)

    def missing() -> str | None:
        reached = _matrix(state, callers, [name])
        is_missing = False in reached.values()
        return f"{name} can't be reached from every proxy's host" if is_missing else None

    try:
        wait_until(state.inventory.get_host(member.name), missing, REACHED_S)
    except NotProven as error:
        engines = [n for other in fleet.running(ROLE) if (n := running_name(other))]
        matrix = _matrix(state, callers, list(dict.fromkeys([*engines, name])))
        raise NotProven(f"{error}:\n{shown(matrix)}") from None
    path = engine(member).call
    if path is None:
        return
    answers = Pool(AT_ONCE).map(lambda caller: _called(state, caller, name, path), callers)
    wrong = [f"{c}: {a}" for c, a in zip(callers, answers, strict=True) if a != "200"]
    if wrong:
        raise NotProven(f"{name} does not answer GET {path}: {'; '.join(wrong)}")


def _callers(state: State, fleet: Fleet, member: Member) -> list[str]:
    serve = {other.name for other in fleet.in_service(PROXY)} - dropped(state.inventory)
    return [m.name for m in fleet.running(PROXY) if m.name in {*serve, member.name}]


def shown(matrix: Matrix) -> str:
    """The matrix as text: a line for each proxy's host, a column for each engine."""
    callers = list(dict.fromkeys(caller for caller, _ in matrix))
    engines = list(dict.fromkeys(engine for _, engine in matrix))
    width = max(map(len, ["from", *callers]))
    lines = [f"  {'from':<{width}}  {'  '.join(engines)}"]
    for caller in callers:
        marks = (f"{MARKS[matrix[caller, e]]:<{len(e)}}" for e in engines)
        lines.append(f"  {caller:<{width}}  {'  '.join(marks)}".rstrip())
    return "\n".join(lines)


def _matrix(state: State, callers: list[str], engines: list[str]) -> Matrix:
    pairs = list(product(callers, engines))

    def ask(pair: tuple[str, str]) -> bool | None:
        return reaches(state.inventory.get_host(pair[0]), *split_endpoint(pair[1]), CONNECT_S)

    return dict(zip(pairs, Pool(AT_ONCE).map(ask, pairs), strict=True))


def _called(state: State, caller: str, name: str, path: str) -> str:
    """What an engine answers to a GET from a proxy's host: the HTTP status, or what went wrong."""
    host = state.inventory.get_host(caller)
    with forwarded(host, *split_endpoint(name)) as (address, port):
        connection = http.client.HTTPConnection(address, port, timeout=CALL_S)
        try:
            connection.request("GET", path)
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()
