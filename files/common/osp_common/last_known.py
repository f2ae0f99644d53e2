"""The last known good lists of names, kept in a file so that they outlive a restart."""

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger("osp.last_known")


def load(path: Path) -> dict[str, frozenset[str]]:
    """Return the lists by name; none where the file is absent or can't be read."""
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): frozenset(map(str, members)) for name, members in lists.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("%s can't be used: %s", path, error)
        return {}


def save(path: Path, lists: Mapping[str, frozenset[str]]) -> None:
    """Replace the file as a whole: a reader finds the old lists or the new ones."""
    text = json.dumps({name: sorted(members) for name, members in lists.items()}, indent=1)
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
    except OSError as error:
        log.warning("%s can't be written: %s", path, error)
