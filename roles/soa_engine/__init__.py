"""The service container: registers its host's real address, serves calls."""
