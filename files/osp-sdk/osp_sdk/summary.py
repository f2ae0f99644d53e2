"""What a series of calls came to."""

import math
from collections import Counter
from dataclasses import dataclass, field

from .client import Reply
from .errors import CallError


@dataclass
class Summary:
    """Counts replies and errors; latencies are of replies only."""

    replies: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    by_proxy: Counter[str] = field(default_factory=Counter)
    by_engine: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, outcome: Reply | CallError, latency_ms: float) -> None:
        """Count one call."""
        if isinstance(outcome, CallError):
            self.errors[outcome.kind] += 1
            return
        self.replies += 1
        self.by_proxy[outcome.proxy] += 1
        self.by_engine[outcome.engine] += 1
        self.latencies_ms.append(latency_ms)

    def as_dict(self) -> dict[str, object]:
        """Return the summary as JSON has it; a latency is None where there was no reply."""
        return {
            "calls": self.replies + self.errors.total(),
            "errors": self.errors.total(),
            "errors_by_kind": dict(sorted(self.errors.items())),
            "by_proxy": dict(sorted(self.by_proxy.items())),
            "by_engine": dict(sorted(self.by_engine.items())),
            "p50_ms": percentile(self.latencies_ms, 50),
            "p99_ms": percentile(self.latencies_ms, 99),
            "max_ms": percentile(self.latencies_ms, 100),
        }


def percentile(values: list[float], percent: float) -> float | None:
    """Return the smallest value that `percent` of all don't exceed, rounded to 0.01."""
    if not values:
        return None
    rank = max(1, math.ceil(len(values) * percent / 100))
    return round(sorted(values)[rank - 1], 2)
