"""Which engines of a service get traffic, given what the registry said and what was known."""

from dataclasses import dataclass, replace

from osp_common.settings import Endpoint


@dataclass(frozen=True)
class EngineList:
    """`listed` is what the registry named when it was last read; `kept` is what gets traffic.

    They differ where the registry names nobody: an outage looks just like that, so the last known
    good engines stay, and only their health checks take them out.
    """

    kept: frozenset[str]
    listed: frozenset[str] = frozenset()
    is_connected: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether traffic goes by something else than what the registry says now."""
        return not self.is_connected or self.kept != self.listed

    @property
    def summary(self) -> str:
        """What a log line says about it."""
        connected = "" if self.is_connected else " (the registry can't be read)"
        return f"{len(self.listed)} engines listed, {len(self.kept)} kept{connected}"

    def after(self, reading: frozenset[str] | None) -> "EngineList":
        """Return the list after one reading of the registry; None: it could not be read."""
        if reading is None:
            return replace(self, is_connected=False)
        listed = frozenset(name for name in reading if is_engine(name))
        return EngineList(kept=listed or self.kept, listed=listed, is_connected=True)


def is_engine(name: str) -> bool:
    """Tell whether a node's name is an engine's, `ip:port`; others are passed over."""
    try:
        return str(Endpoint.parse(name)) == name
    except ValueError:
        return False
