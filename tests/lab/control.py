"""A host that is made a control machine: Dockyard in it, its Python packages brought along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab.host import LabHost

REPOSITORY = Path(__file__).parents[2]


def bring(host: LabHost, directory: str, scratch: Path) -> None:
    """Install the repository's last commit in a folder of a host; `scratch` is this machine's."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    download += ["--require-hashes", "-r", "constraints.txt", "-d", str(scratch)]
    subprocess.run(download, cwd=REPOSITORY, check=True, timeout=300)
    tree = ["git", "archive", "HEAD"]
    committed = subprocess.run(tree, cwd=REPOSITORY, check=True, capture_output=True).stdout
    _send(host, directory, committed)
    pack = ["tar", "-C", str(scratch), "-c", "--transform=s,^.,wheels,", "."]
    _send(host, directory, subprocess.run(pack, check=True, capture_output=True).stdout)
    host.run("apt-get update && apt-get install -y make python3-venv", timeout_s=120)
    install = f"PIP_NO_INDEX=1 PIP_FIND_LINKS={directory}/wheels make .venv/ready"
    host.run(f"cd {directory} && {install}", timeout_s=120)


def _send(host: LabHost, directory: str, archive: bytes) -> None:
    unpack = f"mkdir -p {directory} && tar -x -C {directory}"
    subprocess.run([*host.ssh_command(), unpack], input=archive, check=True, timeout=60)
