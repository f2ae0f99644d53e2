"""HAProxy's configuration: everything but the engines that come and go while it runs."""

from collections.abc import Mapping
from pathlib import Path

from osp_common.settings import Endpoint

from .names import ENGINE_IN_URI, server_name
from .settings import HEALTH_CHECK_TCP, Settings

FRONTEND = "osp"
CONNECT_ATTEMPTS_WITHOUT_RETRIES = 3

ERRORS = {
    502: "the engine broke off its answer",
    503: "no engine answers",
    504: "the engine did not answer in time",
}

# A failed connection brings the next health check forward; if that fails too, or another
# connection does, the engine gets no more traffic until a check has succeeded. A single failure
# does not take it out: an overloaded fleet would lose one engine after the other.
HEALTH_CHECK = "check inter 1s fastinter 200ms downinter 200ms fall 2 rise 1"
SERVER_OPTIONS = f"{HEALTH_CHECK} observe layer4 error-limit 1 on-error sudden-death"


def render(settings: Settings, runtime_socket: Path, engines: Mapping[str, frozenset[str]]) -> str:
    """Return the configuration, with the engines that are known at the start, by service."""
    sections = [
        _global_section(settings, runtime_socket),
        _defaults_section(settings),
        _frontend_section(settings),
        *(
            _backend_section(service, engines[service], settings.health_check)
            for service in settings.services
        ),
    ]
    return "\n".join(sections)


def _global_section(settings: Settings, runtime_socket: Path) -> str:
    return f"""\
global
    stats socket {runtime_socket} mode 600 level admin expose-fd listeners
    hard-stop-after {int(settings.stop_grace_s * 1000)}ms
    fd-hard-limit 20000
    no strict-limits
"""


def _defaults_section(settings: Settings) -> str:
    """One connection to an engine per request: so an engine is free when its last one ended.

    Connections that could not be made are always tried elsewhere, since nothing was sent: at once,
    or after `timeout connect` where no second engine is up (HAProxy's turn-around delay).
    """
    resend = " empty-response junk-response response-timeout" if settings.retries else ""
    return f"""\
defaults
    mode http
    option http-server-close
    option idle-close-on-response
    http-reuse never
    option redispatch 1
    retries {settings.retries or CONNECT_ATTEMPTS_WITHOUT_RETRIES}
    retry-on conn-failure{resend}
    timeout connect 500ms
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 3s
    timeout check 1s
{_error_lines()}
"""


def _error_lines() -> str:
    return "\n".join(
        f"    http-error status {status} content-type application/json"
        f""" string '{{"error": "{text}"}}'"""
        for status, text in ERRORS.items()
    )


def _frontend_section(settings: Settings) -> str:
    lines = [
        f"frontend {FRONTEND}",
        *(f"bind {_bind(endpoint)}" for endpoint in settings.listen),
        "log stdout format raw daemon",
        "option httplog",
        f"http-after-response set-header X-Osp-Proxy {settings.export}",
        "http-request disable-l7-retry unless METH_GET",
        "http-request return status 404 content-type application/json"
        """ string '{"error": "no such service"}'"""
        f" unless {{ path,field(2,/) -m str {' '.join(settings.services)} }}",
        *(
            f"use_backend {service} if {{ path,field(2,/) -m str {service} }}"
            for service in settings.services
        ),
    ]
    return "\n    ".join(lines) + "\n"


def _bind(endpoint: Endpoint) -> str:
    return f"{endpoint} v4v6" if endpoint.ip == "::" else str(endpoint)


def _backend_section(service: str, engines: frozenset[str], health_check: str) -> str:
    lines = [
        f"backend {service}",
        "balance roundrobin",
        *_check_lines(health_check),
        *(f"server {server_line(engine)}" for engine in sorted(engines)),
    ]
    return "\n    ".join(lines) + "\n"


def server_line(engine: str) -> str:
    """Return what follows `server` in the configuration, and the backend's name at run time."""
    return f"{server_name(engine)} {engine} {SERVER_OPTIONS}"


def _check_lines(health_check: str) -> list[str]:
    """A check asks who is there: two hosts may have swapped their addresses."""
    if health_check == HEALTH_CHECK_TCP:
        return []
    separator = "&" if "?" in health_check else "?"
    return [
        "option httpchk",
        f'http-check send meth GET uri-lf "{health_check}{separator}engine={ENGINE_IN_URI}"',
        "http-check expect status 200",
    ]
