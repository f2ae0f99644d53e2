"""What the user says of the caller's container."""

from __future__ import annotations

from roles.container.part import PartSpec


class SdkSpec(PartSpec):
    """Listens on nothing: it is asked to call with `docker exec`."""
