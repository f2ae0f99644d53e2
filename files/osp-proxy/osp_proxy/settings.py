"""What the proxy is told by its environment."""

import re
from dataclasses import dataclass
from pathlib import Path

from osp_common import settings
from osp_common.settings import Endpoint, Environ, SettingError

IMAGE_PORT = 2080
STATUS_PORT = 2081

_SERVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Settings:
    """`retries`: how often a request without side effects may be sent again, to another engine.

    `stop_grace_s` bounds the whole way from SIGTERM to the exit.
    """

    export: Endpoint
    listen: list[Endpoint]
    status_listen: list[Endpoint]
    services: list[str]
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


def _services(environ: Environ) -> list[str]:
    found = environ.get("OSP_SERVICES") or "sayhello"
    names = [name.strip() for name in found.split(",")]
    if not all(_SERVICE.fullmatch(name) for name in names) or len(set(names)) < len(names):
        expected = "different names, comma separated, of lower case letters, digits, - and _"
        raise SettingError("OSP_SERVICES", expected, found)
    return names
