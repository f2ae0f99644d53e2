"""What a host is: one probe over one SSH channel, parsed into one typed value."""

from roles.observed.model import Address, Container, Image, Observed, Path, Route, Service
from roles.observed.probe import Look, forget, is_fresh, observe

__all__ = [
    "Address",
    "Container",
    "Image",
    "Look",
    "Observed",
    "Path",
    "Route",
    "Service",
    "forget",
    "is_fresh",
    "observe",
]
