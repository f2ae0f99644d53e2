from __future__ import annotations

from pyinfra.api import deploy

from roles.images.operations import images


@deploy("Images")
def deliver_images() -> None:
    """Have the image of every part on every host that runs it."""
    images(name="build and deliver", _run_once=True)
