"""What to tell HAProxy so that it has the wanted engines and no others."""

from collections.abc import Iterable

from .haproxy_config import server_line
from .names import server_name
from .runtime_api import Server


def plan(service: str, wanted: frozenset[str], servers: Iterable[Server]) -> list[str]:
    """Return the runtime API's commands, in order; none where nothing is to do.

    An engine leaves in two steps, so that no request in flight is cut: it is put into maintenance
    at once, and deleted by a later plan, when nothing is in flight on it. That comes first, but
    not where nobody would be left for a moment.
    """
    found = {server.name: server for server in servers}
    added = []
    for name in sorted(wanted):
        if name not in found:
            added += _add(service, name)
        elif found[name].is_removed:
            added.append(f"enable server {_path(service, name)}")
    disabled, deleted = [], []
    for name in sorted(found.keys() - wanted):
        if not found[name].is_removed:
            disabled.append(f"disable server {_path(service, name)}")
        elif found[name].in_flight == 0:
            deleted.append(f"del server {_path(service, name)}")
    is_somebody_left = any(name in found and not found[name].is_removed for name in wanted)
    changes = disabled + added if is_somebody_left else added + disabled
    return changes + deleted


def _add(service: str, name: str) -> list[str]:
    """A server starts in maintenance and without health checks (HAProxy 2.6, `add server`)."""
    return [
        f"add server {service}/{server_line(name)}",
        f"enable health {_path(service, name)}",
        f"enable server {_path(service, name)}",
    ]


def _path(service: str, name: str) -> str:
    return f"{service}/{server_name(name)}"
