"""What to tell HAProxy so that it has the wanted engines and no others."""

from collections.abc import Iterable

from .haproxy_config import SERVER_OPTIONS
from .runtime_api import Server


def plan(service: str, wanted: frozenset[str], servers: Iterable[Server]) -> list[str]:
    """Return the runtime API's commands, in order; none where nothing is to do.

    An engine leaves in two steps, so that no request in flight is cut: it is put into maintenance
    at once, and deleted by a later plan, when nothing is in flight on it.
    """
    found = {server.name: server for server in servers}
    commands = []
    for name in sorted(wanted):
        if name not in found:
            commands += _add(service, name)
        elif found[name].is_removed:
            commands.append(f"enable server {service}/{name}")
    for name in sorted(found.keys() - wanted):
        if not found[name].is_removed:
            commands.append(f"disable server {service}/{name}")
        elif found[name].in_flight == 0:
            commands.append(f"del server {service}/{name}")
    return commands


def _add(service: str, name: str) -> list[str]:
    """A server starts in maintenance and without health checks (HAProxy 2.6, `add server`)."""
    return [
        f"add server {service}/{name} {name} {SERVER_OPTIONS}",
        f"enable health {service}/{name}",
        f"enable server {service}/{name}",
    ]
