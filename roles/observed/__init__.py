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
    Observed,
    Path,
    Route,
    Service,
)
from roles.observed.probe import Look, forget, is_fresh, observe

__all__ = [
    "Address",
    "Container",
    "Disk",
    "Drained",
    "Fitness",
    "Image",
    "IpAddress",
    "IpNetwork",
    "Lease",
    "Listener",
    "Look",
    "Observed",
    "Path",
    "Route",
    "Service",
    "Source",
    "forget",
    "is_fresh",
    "observe",
]
