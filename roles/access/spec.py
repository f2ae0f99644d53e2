"""How a new host is first logged in to, before the inventory's own login works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from roles.run.model import Data, Word

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def _fingerprint(value: str) -> str:
    if not FINGERPRINT.fullmatch(value):
        raise ValueError(
            "expected a fingerprint such as ssh-keygen -lf shows it, 'SHA256:' and 43 signs, "
            f"found '{value}'"
        )
    return value


Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class SecretFile(Data):
    file: str
    """A regular file of this machine, one line, mode 0600."""


class SecretCommand(Data):
    command: str
    """A shell's command line on this machine; what it prints, one line, is the secret."""


def _source(value: Any) -> Any:
    """Tell what can stand here without repeating what did: it may be a password."""
    if isinstance(value, SecretFile | SecretCommand) or value is None or value == "prompt":
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        (key, given), *_ = value.items()
        if key in ("file", "command") and isinstance(given, str) and given:
            return SecretFile(file=given) if key == "file" else SecretCommand(command=given)
    raise ValueError(
        "expected 'prompt', {'file': PATH} or {'command': COMMAND}; a secret itself never stands "
        "here, so what was found is not shown"
    )


Source = Annotated[Literal["prompt"] | SecretFile | SecretCommand | None, BeforeValidator(_source)]
"""Where a secret comes from; None: there is none."""


class AccessSpec(Data):
    """What deploy/bootstrap.py uses where the inventory's own login fails."""

    user: Word = "root"
    """Who logs in. Another than root becomes root by sudo."""
    key: str | None = None
    """A private key of this machine, tried once."""
    password: Source = None
    """Of `user`; tried once, after the key."""
    sudo_password: Source = None
    """What sudo asks `user` for; None: it asks for none."""
    fingerprint: Fingerprint | None = None
    """Of the host's key, as somebody read it at the host's console."""

    @property
    def can_log_in(self) -> bool:
        return self.key is not None or self.password is not None
