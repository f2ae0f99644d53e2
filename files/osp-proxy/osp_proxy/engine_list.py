"""Which engines of a service get traffic, given what the registry said and what was known."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

AT_ONCE_S = 1.0
"""The registry ends sessions one by one, so "at once" spans several readings."""


@dataclass(frozen=True)
class EngineList:
    """What is known of a service's engines. Every set holds names, `ip:port`.

    `listed` is what the registry named when it was last read, `marked` what it had a drain mark
    for. `kept` is who may serve: they differ from `listed` where nobody is listed, and by `held`.
    An outage looks just like an empty list or one with most engines gone, so those who left
    without a mark stay, and only their health checks take them out.
    """

    kept: frozenset[str]
    listed: frozenset[str] = frozenset()
    marked: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    alarm: str | None = None
    """Says how many are `held`, and of how many; None while nobody is."""
    is_connected: bool = False
    was_read: bool = False
    """False for a list from a file, which is taken for what was listed last."""
    left_at: Mapping[str, float] = field(default_factory=dict, compare=False)
    """Who left without a mark in the last AT_ONCE_S before the last reading, and when."""

    @property
    def in_traffic(self) -> frozenset[str]:
        """Who gets new requests: all without a mark; where all have one, somebody must serve."""
        return self.kept - self.marked or self.kept

    @property
    def is_stale(self) -> bool:
        """Whether traffic goes by something else than what the registry says now."""
        return not self.is_connected or self.kept != self.listed

    @property
    def summary(self) -> str:
        """What a log line says about it."""
        connected = "" if self.is_connected else " (the registry can't be read)"
        drained = f", {len(self.kept & self.marked)} marked" if self.kept & self.marked else ""
        return f"{len(self.listed)} engines listed, {len(self.kept)} kept{drained}{connected}"

    def after(
        self, listed: frozenset[str] | None, marked: frozenset[str] = frozenset(), now: float = 0.0
    ) -> "EngineList":
        """Return the list after one reading of the registry; `listed` None: it can't be read.

        `now` is monotonic, in seconds.
        """
        if listed is None:
            return replace(self, is_connected=False)
        before = self.listed if self.was_read else self.kept
        gone = before - listed - marked
        recent = {name: at for name, at in self.left_at.items() if now - at <= AT_ONCE_S}
        left_at = {
            name: at
            for name, at in {**recent, **dict.fromkeys(gone, now)}.items()
            if name not in listed and name not in marked
        }
        left = frozenset(left_at)
        known = self.kept | left
        held = self.held - listed - marked
        alarm = self.alarm if held else None
        vanished = held | left  # who leaves while most are held belongs to them
        if gone and len(vanished) >= 2 and 2 * len(vanished) > len(known):
            held, left_at = vanished, {}
            alarm = (
                f"{len(held)} of {len(known)} engines left the registry at once; "
                "kept while their health checks pass"
            )
        return EngineList(
            kept=listed | held or self.kept,
            listed=listed,
            marked=marked,
            held=held,
            alarm=alarm,
            is_connected=True,
            was_read=True,
            left_at=left_at,
        )

    def after_checks(self, up: frozenset[str], failed: frozenset[str]) -> "EngineList":
        """Return the list after a look at the health checks: who is up, and who failed.

        Drops those held who failed, where another is up and the registry can be read.
        """
        dropped = self.held & failed
        if not dropped or not up & self.kept - dropped or not self.is_connected:
            return self
        held = self.held - dropped
        return replace(
            self,
            kept=self.kept - dropped,
            held=held,
            alarm=self.alarm if held else None,
        )
