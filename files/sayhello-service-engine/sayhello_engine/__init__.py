"""The engine: a service container and the service in it, which says hello."""

__version__ = "1.0.0"
