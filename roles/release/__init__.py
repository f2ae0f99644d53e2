"""Releases: recorded on every host, and rolled back to from these records alone."""
