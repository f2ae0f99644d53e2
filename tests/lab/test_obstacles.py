"""What stands in a deploy's way on hosts that serve: told, and nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import containers, disk, of_each
from tests.lab.running import Checkout


def test_a_failed_build_says_where_and_why_and_touches_nothing_else(
    fleet: Fleet, own: Checkout
) -> None:
    dockerfile = own.directory / "files/sayhello-service-engine/Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "USER root\nRUN echo no such luck && false\n")
    others = [host for host in fleet.hosts if host.name != "app-1"]
    before = of_each(fleet.hosts, containers)
    disks = of_each(others, disk)
    run = own.run(fleet.inventory, "-y")
    assert run.exit_code == 1
    assert run.done == []
    where = (
        r"app-1: building sayhello-service-engine:\w+ from 'files/sayhello-service-engine' failed"
    )
    assert re.search(where, run.output)
    assert "no such luck" in run.output
    assert of_each(fleet.hosts, containers) == before
    assert of_each(others, disk) == disks
    assert fleet.deploy().done == []


@contextmanager
def noise(host: LabHost) -> Iterator[None]:
    """Make a host talk at every login, in bytes that are no text."""
    host.run("cp /root/.bashrc /root/.bashrc.quiet && cp /etc/environment /etc/environment.quiet")
    host.run(r"printf 'printf \"Gr\\\\374\\\\337e\\n\"\nexport NOISE=\374\n' > /root/.bashrc")
    host.run(r"printf 'GREETING=Gr\374\337e\n' >> /etc/environment")
    host.run(r"printf 'Gr\374\337e @@host\n' > /etc/issue.net")
    host.run("echo 'Banner /etc/issue.net' > /etc/ssh/sshd_config.d/noise.conf")
    host.run("systemctl reload ssh")
    host.wait_for_ssh()
    try:
        yield
    finally:
        host.run("mv /root/.bashrc.quiet /root/.bashrc; mv /etc/environment.quiet /etc/environment")
        host.run("rm /etc/ssh/sshd_config.d/noise.conf && systemctl reload ssh")
        host.wait_for_ssh()


def test_a_host_that_talks_at_login_in_bytes_is_no_obstacle(fleet: Fleet) -> None:
    host = fleet.registry
    host.run("docker rm --force osp-sdk && chmod 777 /apps/logs/osp-sdk")
    with noise(host):
        assert host.run("true").stdout.startswith("Gr\\xfc\\xdfe")
        run = fleet.deploy()
    assert run.exit_code == 0, run.output
    assert [line.split(": ", 1)[1] for line in run.done] == [
        "sdk: directory /apps/logs/osp-sdk: mode 777 -> 750",
        "sdk: create container osp-sdk: absent",
    ]
    assert containers(host)["osp-sdk"].running
    assert fleet.deploy().done == []
