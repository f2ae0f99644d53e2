"""What the user says of the checks."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from roles.host_check.texts import TEXTS
from roles.run.model import Data


def _check(value: str) -> str:
    known = [name for name, text in TEXTS.items() if text.can_be_accepted]
    if value in TEXTS and value not in known:
        text = TEXTS[value]
        raise ValueError(f"found '{value}', which can't be accepted: {text.why}; {text.mend}")
    if value not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found '{value}'")
    return value


class HostCheckSpec(Data):
    accept: list[Annotated[str, AfterValidator(_check)]] = Field(default_factory=list)
    """Checks whose failure is known and borne: it becomes a warning. See docs/verify.md."""
