"""What the user says of images."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from roles.run.model import Data, Seconds, Word


class ImageSource(Data):
    """An image that is built from a context; its tag is the hash of the context's content."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$")]
    context: str
    """A folder with a Dockerfile, relative to the directory that pyinfra is started in."""


class ImagesSpec(Data):
    base_image: Word = "debian:bookworm-slim"
    base_archives: dict[str, str] = Field(default_factory=dict)
    """Base image name to a root file system (tar), imported where the image is not to be pulled."""
    build_timeout_s: Seconds = 1200
    transfer_timeout_s: Seconds = 900
