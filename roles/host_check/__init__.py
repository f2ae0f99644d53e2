"""Whether a host can be trusted with containers."""
