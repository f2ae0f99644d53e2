"""A repository's signing key: trusted only where its fingerprint is the one in the data."""

from __future__ import annotations

import os

from pysequoia import Cert

# To trace a greenlet's stack ends the process; pysequoia would, where RUST_BACKTRACE is set.
os.environ["RUST_LIB_BACKTRACE"] = "0"


class WrongKey(Exception):
    """What was given holds no such key; the text says what it holds."""


def pinned(material: bytes, fingerprint: str) -> bytes:
    """Return the one key with this fingerprint (hexadecimal, upper case), in ASCII armour.

    Whatever else the material holds is left out: a keyring trusts every key that is in it.

    Raises:
        WrongKey: it is no key material, or the key is not in it.
    """
    try:
        keys = Cert.split_bytes(material)
    except Exception as error:  # pysequoia raises bare kinds, with a stack trace for a text
        raise WrongKey(f"holds no OpenPGP key: {str(error).splitlines()[0]}") from None
    for key in keys:
        if key.fingerprint.upper() == fingerprint:
            return f"{key}".strip().encode() + b"\n"
    found = ", ".join(key.fingerprint.upper() for key in keys) or "no key"
    raise WrongKey(f"expected the key {fingerprint}, found {found}")
