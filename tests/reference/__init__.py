"""The reference system, in real processes on the loopback."""
