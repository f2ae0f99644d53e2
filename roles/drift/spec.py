"""What the user says of the check for drift."""

from __future__ import annotations

from pydantic import Field

from roles.drift.ignore import IgnoreRule
from roles.run.model import Data


class DriftSpec(Data):
    """What group_data says under the key `drift`."""

    ignore: list[IgnoreRule] = Field(default_factory=list)
    """What is known and borne for a while."""
