"""The proxy: HAProxy carries the traffic, an agent tells it which engines there are."""

__version__ = "1.0.0"
