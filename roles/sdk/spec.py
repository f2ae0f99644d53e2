"""What the user says of the caller's container."""

from __future__ import annotations

from roles.container.part import Mount, PartSpec


class SdkSpec(PartSpec):
    """Listens on nothing: it is asked to call with `docker exec`."""

    data: Mount | None = None
    """Where the last known list of proxies survives a restart; None: the image keeps none."""

    @property
    def mounts(self) -> list[Mount]:
        return [self.logs, *([self.data] if self.data else [])]
