"""The engine's configuration: ours merged into the host's own. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATH = "/etc/docker/daemon.json"

RELOADABLE = frozenset(
    {
        "authorization-plugins",
        "debug",
        "default-runtime",
        "features",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    }
)
"""What a running engine takes over at SIGHUP (docs.docker.com, "dockerd: configuration reload")."""


class NotJson(Exception):
    """A host's daemon.json is no JSON object; the text says where it goes wrong."""


@dataclass(frozen=True)
class ConfigChange:
    text: str
    """The whole file, as it is to be."""
    keys: tuple[str, ...]
    """The keys at top level that differ."""
    takes_out: bool = False
    """Whether a key goes altogether."""

    @property
    def restarts(self) -> bool:
        """Whether the engine takes it over only when it starts.

        At a reload it leaves as it is what the file does not say (moby: daemon/reload.go).
        """
        return self.takes_out or not RELOADABLE.issuperset(self.keys)


def read(text: str | None) -> dict[str, Any]:
    """Return what a host's file says; nothing where there is no file, or an empty one.

    Raises:
        NotJson: it is no JSON object.
    """
    if text is None or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error
    if not isinstance(found, dict):
        raise NotJson(f"expected an object, found {text.strip()[:20]}")
    return found


def change(text: str | None, wanted: Mapping[str, Any]) -> ConfigChange | None:
    """Return how a host's file is to be changed; None where it says all that is wanted.

    Objects are merged key by key; None takes a key out. All else that the host says stays.

    Raises:
        NotJson: the host's file is no JSON object.
    """
    before = read(text)
    after = _merged(before, wanted)
    keys = sorted(k for k in {*before, *after} if before.get(k) != after.get(k))
    text = json.dumps(after, indent=4) + "\n"
    return ConfigChange(text, tuple(keys), bool({*before} - {*after})) if keys else None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key, {}), Mapping):
            within = _merged(merged.get(key, {}), value)
            if within or key in merged or not value:  # what only takes out needs no place
                merged[key] = within
        else:
            merged[key] = value
    return merged
