"""Who runs this, as hosts and registry write it down, and as others are told."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """`USER@MACHINE`, in one line of printable signs."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in a container
        user = "somebody"
    return "".join(sign for sign in f"{user}@{socket.gethostname()}" if sign.isprintable())
