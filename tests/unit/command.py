"""The command `dockyard`, as who types it has it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def dockyard(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end in the project's folder: no terminal, no agent, and `home` for a home."""
    environment = {k: v for k, v in os.environ.items() if k != "SSH_AUTH_SOCK"}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words],
        cwd=ROOT,
        env={**environment, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
