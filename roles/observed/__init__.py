"""What a host is: one probe over one SSH channel, parsed into one typed value."""

from roles.observed.fitness import Disk, Fitness, Listener, Source
from roles.observed.lease import Lease
from roles.observed.model import (
    Address,
    Container,
    Drained,
    Image,
    IpAddress,
    IpNetwork,
    Newest,
    Observed,
    Path,
    Route,
    Service,
)
from roles.observed.probe import Look, forget, is_fresh, observe
from roles.observed.releases import Pin, Release, ReleasedPart, Releases
from roles.observed.setup import Account, HomePath, Setup, Sudoers, Unit

__all__ = [
    "Account",
    "Address",
    "Container",
    "Disk",
    "Drained",
    "Fitness",
    "HomePath",
    "Image",
    "IpAddress",
    "IpNetwork",
    "Lease",
    "Listener",
    "Look",
    "Newest",
    "Observed",
    "Path",
    "Pin",
    "Release",
    "ReleasedPart",
    "Releases",
    "Route",
    "Service",
    "Setup",
    "Source",
    "Sudoers",
    "Unit",
    "forget",
    "is_fresh",
    "observe",
]
