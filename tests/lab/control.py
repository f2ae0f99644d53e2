"""A host that is made a control machine: Dockyard in it, its Python packages brought along; and the
account on other hosts that may only read them, as docs/drift.md has it."""

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


PROBE = "/usr/local/sbin/dockyard-probe"
READER = "dockyard-drift"


def let_read(host: LabHost, product: Path, public_key: str) -> None:
    """Have whoever has this key run the probe of a product's copy on a host, and nothing else."""
    probe = product / "roles/observed/probe.sh"
    host.feed(probe, "install -D -m 644 /dev/stdin /usr/local/lib/dockyard/probe.sh")
    host.feed(product / "files/drift-probe/dockyard-probe", f"install -m 755 /dev/stdin {PROBE}")
    host.run(f"id {READER} 2>/dev/null || useradd --create-home --shell /bin/sh {READER}")
    rules = f"/etc/sudoers.d/{READER}"
    rule = f"{READER} ALL=(root) NOPASSWD: {PROBE}"
    host.run(f"echo '{rule}' | install -m 440 /dev/stdin {rules} && visudo -c")
    command = f'command="sudo -n {PROBE} \\"$SSH_ORIGINAL_COMMAND\\""'
    home = f"/home/{READER}/.ssh"
    host.run(f"install -d -m 700 -o {READER} {home}")
    line = f"restrict,port-forwarding,{command} {public_key}"
    host.feed(line.encode(), f"install -o {READER} /dev/stdin {home}/authorized_keys")


def let_read_no_more(host: LabHost) -> None:
    host.run(f"userdel -r {READER}; rm -r /etc/sudoers.d/{READER} /usr/local/lib/dockyard {PROBE}")
