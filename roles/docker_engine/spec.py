"""What the user says of the Docker engine."""

from __future__ import annotations

from typing import Literal

from roles.run.model import Data, Seconds


class DockerEngineSpec(Data):
    source: Literal["distro"] = "distro"
    """Where the engine comes from: the distribution's own packages."""
    start_timeout_s: Seconds = 60
