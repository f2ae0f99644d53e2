"""What is asked of every proxy's list of engines; each judge tells what is still to come. Pure."""

from __future__ import annotations

from collections.abc import Callable

from roles.proxy.status import Listing

Judge = Callable[[Listing], str | None]


def lists_up(name: str) -> Judge:
    """The proxy lists the engine as up."""

    def judge(listing: Listing) -> str | None:
        entry = listing.engines.get(name)
        if entry and entry.state == "up":
            return None
        return f"lists {name} as {entry.state if entry else 'unknown'}"

    return judge


def has_let_go(name: str) -> Judge:
    """The proxy gives the engine no new request, and none of its requests is in flight there."""

    def judge(listing: Listing) -> str | None:
        entry = listing.engines.get(name)
        if entry is None or not (entry.state == "up" or entry.registered or entry.in_flight):
            return None
        return f"lists {name} as {entry.state}, {entry.in_flight} requests in flight"

    return judge


def has_other_than(names: frozenset[str]) -> Judge:
    """The proxy has an engine to turn to when these are away, or calls none of them anyway.

    Where the registry has forgotten everybody, as a new one has, the proxies go by those they know.
    """

    def judge(listing: Listing) -> str | None:
        if listing.engines and not names & listing.engines.keys():
            return None
        others = [entry for name, entry in listing.engines.items() if name not in names]
        is_forgotten = not any(entry.registered for entry in listing.engines.values())
        if any(e.state == "up" and (e.registered or is_forgotten) for e in others):
            return None
        listed = ", ".join(sorted(names))
        return f"has no other engine up than {listed}, which can't be taken away"

    return judge
