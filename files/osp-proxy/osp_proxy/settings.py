"""What the proxy is told by its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from osp_common import settings
from osp_common.registry import Layout
from osp_common.settings import Endpoint, Environ, SettingError

IMAGE_PORT = 2080
STATUS_PORT = 2081

HEALTH_CHECK_TCP = "tcp"

_HEALTH_PATH = re.compile(r"/[A-Za-z0-9/._~?&=+:@-]*")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Settings:
    """`services`: where each service's engines register.

    `health_check` is a path, or HEALTH_CHECK_TCP. `retries`: how often a request without side
    effects may be sent again, to another engine.

    `stop_grace_s` bounds the whole way from SIGTERM to the exit.
    """

    export: Endpoint
    listen: list[Endpoint]
    status_listen: list[Endpoint]
    services: Mapping[str, Layout]
    health_check: str
    retries: int
    registry_hosts: str
    session_timeout_s: float
    stop_grace_s: float
    logs: Path
    data: Path

    @classmethod
    def read(cls, environ: Environ) -> "Settings":
        """Read every setting. Raises SettingError for the first that is absent or unusable."""
        export = settings.export_endpoint(environ, IMAGE_PORT)
        status_port = settings.port(environ, "OSP_STATUS_PORT", STATUS_PORT)
        listen = settings.listen_endpoints(export, IMAGE_PORT)
        return cls(
            export=export,
            listen=listen,
            status_listen=[Endpoint(endpoint.ip, status_port) for endpoint in listen],
            services=_services(environ),
            health_check=_health_check(environ),
            retries=int(
                settings.number(environ, "OSP_RETRIES", 2, lowest=0, highest=10, whole=True)
            ),
            registry_hosts=settings.registry_hosts(environ),
            session_timeout_s=settings.number(
                environ, "ZK_SESSION_TIMEOUT_S", 6, lowest=1, highest=60
            ),
            stop_grace_s=settings.number(environ, "STOP_GRACE_S", 8, lowest=0, highest=3600),
            logs=settings.directory(environ, "OSP_LOGS_DIR"),
            data=settings.directory(environ, "OSP_DATA_DIR"),
        )


def _services(environ: Environ) -> dict[str, Layout]:
    """Read `name` (our own layout) or `name=PATTERN`, comma separated."""
    found = environ.get("OSP_SERVICES") or "sayhello"
    entries = [entry.strip().partition("=") for entry in found.split(",")]
    try:
        services = {
            name: Layout.parse(pattern) if equals else Layout.of(name)
            for name, equals, pattern in entries
        }
    except ValueError:
        expected = "name or name=PATTERN, as hello=/services/hello/providers/{address}_{port}"
        raise SettingError("OSP_SERVICES", expected, found) from None
    if not all(map(_SERVICE.fullmatch, services)) or len(services) < len(entries):
        expected = "different names, comma separated, of lower case letters, digits, - and _"
        raise SettingError("OSP_SERVICES", expected, found)
    return services


def _health_check(environ: Environ) -> str:
    found = environ.get("OSP_HEALTH_CHECK") or "/healthz"
    if found != HEALTH_CHECK_TCP and not _HEALTH_PATH.fullmatch(found):
        raise SettingError("OSP_HEALTH_CHECK", "a path, as /healthz, or tcp", found)
    return found
