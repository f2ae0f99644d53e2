"""A host is sent away for a while: its parts serve on, and are called no more. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict

from roles.maintenance.spec import DrainWish, seconds
from roles.observed import Drained
from roles.proxy.plan import ROLE as PROXY
from roles.run.changes import Change
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem
from roles.run.who import who
from roles.soa_engine.plan import ROLE as ENGINE
from roles.soa_engine.plan import engine

ROLE = "maintenance"
NAMES = {ENGINE: "engine", PROXY: "proxy"}


def check(fleet: Fleet) -> list[Problem]:
    wish = _wish(fleet)
    if wish is None:
        text = "expected --data drain.reason=REASON, and how long: --data drain.duration=2h"
        return [Problem(None, "drain.reason", text)]
    alone = [problem for role in (ENGINE, PROXY) for problem in _all_at_once(fleet, role)]
    return [*alone, *(p for m in _sent(fleet) for p in _cant_leave(fleet, m))]


def plan(fleet: Fleet) -> list[Change]:
    wish = _wish(fleet)
    if wish is None:
        return []
    why = f"{wish.reason}, for {wish.duration}"
    return [Change(m.name, ROLE, "drain", why, interrupts=True) for m in _sent(fleet)]


def drained(wish: DrainWish, member: Member) -> Drained:
    """What is written down on a host that leaves now; by its own clock, which ends it."""
    since = int(time.time() + (member.observed.clock_skew_s or 0))
    return Drained(who(), since, since + seconds(wish.duration), wish.reason)


def told(found: Drained, host: str) -> dict[str, str]:
    """What a mark in the registry says besides: every value is a text."""
    return {"host": host, **{key: str(value) for key, value in asdict(found).items()}}


def _wish(fleet: Fleet) -> DrainWish | None:
    return next((m.wanted.drain for m in fleet if m.in_limit and m.wanted.drain), None)


def _sent(fleet: Fleet) -> list[Member]:
    return [member for member in fleet if member.in_limit]


def _all_at_once(fleet: Fleet, role: str) -> Iterator[Problem]:
    staying = [member for member in fleet.in_service(role) if not member.in_limit]
    if any(member.part(role) for member in _sent(fleet)) and not staying:
        text = f"would leave no {NAMES[role]} in service; name fewer hosts (--limit)"
        yield Problem(None, "drain", text)


def _cant_leave(fleet: Fleet, member: Member) -> Iterator[Problem]:
    """An engine that heeds no mark, behind proxies that may not either, can't be kept away."""
    if member.part(ENGINE) is None:
        return
    by_mark = (drain := engine(member).drain) is not None and drain.by == "mark"
    proxies = [m.wanted.proxy for m in fleet.running(PROXY) if m.wanted.proxy]
    if not by_mark and not all(proxy.status for proxy in proxies):
        text = (
            "the engine is not drained by a mark, and the proxies tell no status, so it can't be "
            "kept away from callers; stop it instead (deploy/service.py --data action=stop)"
        )
        yield Problem(member.name, f"{ENGINE}.drain", text)
