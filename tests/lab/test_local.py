"""Dockyard run on the very machine that it deploys to: every part on one host."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, LabHost

REPOSITORY = Path(__file__).parents[2]
DEPLOY = (
    "cd /root/dockyard && .venv/bin/pyinfra inventories/local.py deploy/soa.py -y"
    """ --data 'images={"base_archives": {"debian:bookworm-slim": "/root/base.tar"}}' 2>&1"""
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """A host with Dockyard in it, its Python packages brought along."""
    wheels = tmp_path_factory.mktemp("wheels")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    download += ["--require-hashes", "-r", "constraints.txt", "-d", str(wheels)]
    subprocess.run(download, cwd=REPOSITORY, check=True, timeout=300)
    lab = Lab("local")
    lab.up(hosts=1, registry=0)
    host = lab["app-1"]
    tree = ["git", "archive", "HEAD"]
    _send(host, subprocess.run(tree, cwd=REPOSITORY, check=True, capture_output=True).stdout)
    pack = ["tar", "-C", str(wheels), "-c", "--transform=s,^.,wheels,", "."]
    _send(host, subprocess.run(pack, check=True, capture_output=True).stdout)
    subprocess.run(
        [*host.ssh_command(), "cat > /root/base.tar"],
        input=lab.base_image("bookworm").read_bytes(),
        check=True,
        timeout=60,
    )
    host.run("apt-get update && apt-get install -y make python3-venv", timeout_s=120)
    install = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/root/dockyard/wheels make .venv/ready"
    host.run(f"cd /root/dockyard && {install}", timeout_s=120)
    yield host
    lab.down()


def _send(host: LabHost, archive: bytes) -> None:
    unpack = "mkdir -p /root/dockyard && tar -x -C /root/dockyard"
    subprocess.run([*host.ssh_command(), unpack], input=archive, check=True, timeout=60)


@pytest.mark.full
def test_all_parts_on_one_machine(machine: LabHost) -> None:
    machine.run(DEPLOY, timeout_s=400)
    calls = machine.run("docker exec osp-sdk osp-sdk call sayhello name=local --count 4").stdout
    assert calls.count(f'"engine": "{machine.address}:1080"') == 4

    again = machine.run(DEPLOY, timeout_s=60).stdout
    assert "Nothing to change" in again
