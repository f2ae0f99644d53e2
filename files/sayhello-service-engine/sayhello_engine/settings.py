"""What the engine is told by its environment."""

from dataclasses import dataclass
from pathlib import Path

from osp_common import settings
from osp_common.settings import Endpoint, Environ

IMAGE_PORT = 1080


@dataclass(frozen=True)
class Settings:
    """`stop_grace_s` bounds the whole way from SIGTERM to the exit."""

    export: Endpoint
    listen: list[Endpoint]
    registry_hosts: str
    session_timeout_s: float
    drain_lease_s: float
    stop_grace_s: float
    logs: Path

    @classmethod
    def read(cls, environ: Environ) -> "Settings":
        """Read every setting. Raises SettingError for the first that is absent or unusable."""
        export = settings.export_endpoint(environ, IMAGE_PORT)
        return cls(
            export=export,
            listen=settings.listen_endpoints(export, IMAGE_PORT),
            registry_hosts=settings.registry_hosts(environ),
            session_timeout_s=settings.number(
                environ, "ZK_SESSION_TIMEOUT_S", 6, lowest=1, highest=60
            ),
            drain_lease_s=settings.number(environ, "DRAIN_LEASE_S", 60, lowest=1, highest=86400),
            stop_grace_s=settings.number(environ, "STOP_GRACE_S", 8, lowest=0, highest=3600),
            logs=settings.directory(environ, "OSP_LOGS_DIR"),
        )
