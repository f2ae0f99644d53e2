"""How fast a rollout goes on: how many hosts at a time, and what makes it stop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from roles.run.model import Data, Seconds

T = TypeVar("T")

_PERCENT = re.compile(r"([1-9]\d?|100)%")


def _count_or_percent(value: int | str) -> int | str:
    if isinstance(value, str) and not _PERCENT.fullmatch(value):
        raise ValueError(
            f"expected a number of hosts, or a share of them like '25%', found '{value}'"
        )
    return value


class Pace(Data):
    """What group_data says of every rollout, under the key `rollout`."""

    batch: Annotated[Annotated[int, Field(ge=1)] | str, AfterValidator(_count_or_percent)] = 1
    """How many hosts are treated at a time. A share is of the part's hosts, rounded down."""
    canary: bool = True
    """Whether the first host goes alone, whatever the batch."""
    max_failures: Annotated[int, Field(ge=0)] = 0
    """How many hosts may fail before the rollout stops."""
    on_failure: Literal["stop", "rollback"] = "stop"
    """What becomes of the hosts that were changed when a rollout stops for its failures: they stay
    so, or go back, one by one. Containers alone can; an engine of Docker's stays as it is."""
    max_unreachable: Annotated[int, Field(ge=0)] = 0
    """How many hosts may be unreachable without the run being refused."""
    pause_s: Annotated[int, Field(ge=0, le=86400)] = 0
    """How long to wait between two batches."""
    limit_s: Seconds | None = None
    """How long a rollout may take; when it is over, no further batch is begun."""
    lease_s: Annotated[int, Field(ge=10, le=600)] = 60
    """How long the hosts stay this run's when it can't be heard of any more."""

    @property
    def one_by_one(self) -> Pace:
        """The same, for what can't do without two of its hosts at a time."""
        return self.model_copy(update={"batch": 1})

    def size(self, hosts: int) -> int:
        """How many hosts of a part that runs on `hosts` are treated at a time."""
        if isinstance(self.batch, int):
            return self.batch
        return max(1, hosts * int(self.batch.rstrip("%")) // 100)

    def batches(self, treated: Sequence[T], hosts: int) -> list[list[T]]:
        """Cut what is to be treated into batches, in its order.

        `hosts` is how many run the part, those that stay as they are included.
        """
        size = self.size(hosts)
        first = 1 if self.canary else size
        rest = treated[first:]
        cut = [list(rest[start : start + size]) for start in range(0, len(rest), size)]
        return [list(treated[:first]), *cut] if treated else []
