"""The test hosts that `python -m tests.lab up` boots on this machine.

DOCKYARD_LAB names another lab than "lab"; DOCKYARD_LAB_USER another user than root.
"""

import os

from tests.lab import Lab, packages

_lab = Lab(os.environ.get("DOCKYARD_LAB", "lab"))


def _hosts(group: str) -> list[str]:
    return [host.name for host in _lab.hosts if group in host.groups]


def _engine(flavours: tuple[str, ...]) -> dict[str, object]:
    """An RPM host has no engine of its distribution's own: it gets the packages of the lab."""
    if "rpm" not in flavours:
        return {}
    files = packages.package_files(packages.RPM, packages.ENGINES[packages.RPM][-1])
    listed = [{"path": str(file), "sha256": packages.sha256(file)} for file in files]
    return {"docker_engine": {"source": "files", "files": listed}}


registry = _hosts("registry")
engine = _hosts("engine")
proxy = _hosts("proxy")
sdk = _hosts("sdk")

lab = (
    [
        (host.name, {"ssh_hostname": host.address, **_engine(host.spec.flavours)})
        for host in _lab.hosts
    ],
    {
        "ssh_user": os.environ.get("DOCKYARD_LAB_USER", "root"),
        "ssh_key": str(_lab.private_key),
        "ssh_known_hosts_file": str(_lab.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        # No image can be pulled on a lab host: the lab makes the base image itself.
        "images": {"base_archives": {"debian:bookworm-slim": str(_lab.base_image("bookworm"))}},
    },
)
