"""Dockyard run on the very machine that it deploys to: every part on one host."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.lab import Lab, LabHost
from tests.lab.control import bring

DEPLOY = (
    "cd /root/dockyard && .venv/bin/pyinfra inventories/local.py deploy/soa.py -y"
    """ --data 'images={"base_archives": {"debian:bookworm-slim": "/root/base.tar"}}' 2>&1"""
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """A host with Dockyard in it, its Python packages brought along."""
    lab = Lab("local")
    lab.up(hosts=1, registry=0)
    host = lab["app-1"]
    bring(host, "/root/dockyard", tmp_path_factory.mktemp("wheels"))
    subprocess.run(
        [*host.ssh_command(), "cat > /root/base.tar"],
        input=lab.base_image("bookworm").read_bytes(),
        check=True,
        timeout=60,
    )
    yield host
    lab.down()


@pytest.mark.full
def test_all_parts_on_one_machine(machine: LabHost) -> None:
    machine.run(DEPLOY, timeout_s=400)
    calls = machine.run("docker exec osp-sdk osp-sdk call sayhello name=local --count 4").stdout
    assert calls.count(f'"engine": "{machine.address}:1080"') == 4

    again = machine.run(DEPLOY, timeout_s=60).stdout
    assert "Nothing to change" in again
