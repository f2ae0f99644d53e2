"""What can't work is refused before anything is changed anywhere: where, which key, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.reading import containers, disk, of_each
from tests.lab.running import Checkout, Listed, Run

REFUSED_S = 60


@dataclass(frozen=True)
class Unchanged:
    """Runs the product on bare hosts that have to stay as they are."""

    checkout: Checkout
    lab: Lab
    disks: dict[str, dict[str, str]]

    def refused(self, hosts: list[LabHost | Listed], timeout_s: float = REFUSED_S) -> Run:
        """Run, and return the run after a look at what it must not have done."""
        inventory = self.checkout.inventory(hosts, base_image=self.lab.base_image())
        run = self.checkout.run(inventory, "-y", timeout_s=timeout_s)
        assert run.exit_code == 1, run.output
        assert run.problems, run.output
        assert run.done == []
        assert "Traceback" not in run.output
        assert of_each(self.lab.hosts, disk) == self.disks
        return run


@pytest.fixture
def unchanged(own: Checkout, bare: Lab) -> Unchanged:
    return Unchanged(own, bare, of_each(bare.hosts, disk))


def with_data(lab: Lab, name: str, data: Mapping[str, Any]) -> list[LabHost | Listed]:
    """List all hosts, one of them with data of its own."""
    return [Listed(host, data) if host.name == name else host for host in lab.hosts]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            {"soa_engine": {"prot": 1080}},
            r"soa_engine\.prot: unknown key; expected one of: .*\bport\b",
            id="unknown key",
        ),
        pytest.param(
            {"soa_engin": {"port": 1080}},
            r"soa_engin: unknown key; expected one of: .*\bsoa_engine\b",
            id="unknown key at top level",
        ),
        pytest.param(
            {"soa_engine": {"port": "1080"}},
            r"soa_engine\.port: .*valid integer, found '1080'",
            id="wrong type",
        ),
        pytest.param(
            {"export_ip": "198.19.255.9"},
            r"export_ip: \S+ is on no interface of this host \(host0 {address}\b.*; name",
            id="export_ip on no interface",
        ),
        pytest.param(
            {"proxy": {"port": 1080}},
            r"proxy: the port 1080 is wanted by soa_engine and proxy; give each its own",
            id="two parts on one port",
        ),
        pytest.param(
            {"proxy": {"logs": {"host": "/apps/logs/sayhello-service-engine"}}},
            r"proxy: the host directory /apps/logs/sayhello-service-engine is wanted by"
            r" soa_engine and proxy; give each its own",
            id="two parts with one log directory",
        ),
        pytest.param(
            {"soa_engine": {"logs": {"container": "logs"}}},
            r"soa_engine\.logs\.container: expected an absolute path .*, found 'logs'",
            id="relative container path",
        ),
        pytest.param(
            {"soa_engine": {"image": {"context": "files/nowhere"}}},
            r"soa_engine\.image\.context: .*'files/nowhere' does not exist; expected a folder",
            id="missing build context",
        ),
        pytest.param(
            {"soa_engine": {"image": {"context": "deploy"}}},
            r"soa_engine\.image\.context: .*'deploy' has no Dockerfile; expected a folder with",
            id="build context without a Dockerfile",
        ),
        pytest.param(
            {"registry": {"connection": "zk-1"}},
            r"registry\.connection: expected 'host:port,host:port,...', found 'zk-1'",
            id="registry without a port",
        ),
    ],
)
def test_data_that_cannot_be_is_refused(
    unchanged: Unchanged, data: Mapping[str, Any], expected: str
) -> None:
    host = unchanged.lab["app-1"]
    run = unchanged.refused(with_data(unchanged.lab, host.name, data))
    [problem] = run.problems
    assert re.match(f"{host.name}: " + expected.replace("{address}", host.address), problem)


def test_a_mistake_in_group_data_is_told_for_each_host_of_the_group(unchanged: Unchanged) -> None:
    unchanged.checkout.edit("group_data/engine.py", '"pids":', '"pid":')
    run = unchanged.refused([*unchanged.lab.hosts])
    assert [problem.partition("; ")[0] for problem in run.problems] == [
        "app-1: soa_engine.pid: unknown key",
        "app-2: soa_engine.pid: unknown key",
    ]


def test_no_registry_at_all_is_refused(unchanged: Unchanged) -> None:
    run = unchanged.refused([unchanged.lab["app-1"]])
    [problem] = run.problems
    assert problem.startswith("inventory: registry.connection: the group `registry` is empty")
    assert "add hosts to the group, or set registry.connection" in problem


def test_one_host_under_two_names_is_refused(unchanged: Unchanged) -> None:
    host = unchanged.lab["app-1"]
    run = unchanged.refused([*unchanged.lab.hosts, Listed(host, name="twin")])
    [problem] = run.problems
    assert f"app-1 and twin have one address, {host.address}; list each host once" in problem


def test_a_limit_that_names_nobody_is_no_success(unchanged: Unchanged) -> None:
    inventory = unchanged.checkout.inventory(unchanged.lab.hosts)
    run = unchanged.checkout.run(inventory, "-y", "--limit", "app-1", "--limit", "app-9")
    assert run.exit_code == 1
    assert "app-9: the inventory has no such host, nor a group" in run.output
    assert of_each(unchanged.lab.hosts, disk) == unchanged.disks


def test_a_host_that_does_not_answer_is_named(unchanged: Unchanged) -> None:
    host = unchanged.lab["app-2"]
    host.stop()
    disks = {**unchanged.disks, host.name: disk(host)}
    try:
        run = Unchanged(unchanged.checkout, unchanged.lab, disks).refused([*unchanged.lab.hosts])
        inventory = unchanged.checkout.inventory(
            unchanged.lab.hosts, base_image=unchanged.lab.base_image()
        )
        without = unchanged.checkout.run(inventory, "--dry", "--data", "rollout.max_unreachable=1")
    finally:
        host.boot()
    [problem] = run.problems
    assert problem.startswith("app-2: connection: can't be reached; mend that, or go on without")
    assert without.exit_code == 0, without.output
    assert "app-2 can't be reached and is left out" in without.output
    assert {line.split(":")[0] for line in without.planned} == {"app-1", "registry-1"}


def test_hosts_with_another_key_or_for_which_there_is_none_are_named(
    unchanged: Unchanged, tmp_path: Path
) -> None:
    host, other = unchanged.lab["app-1"], unchanged.lab["app-2"]
    keys = host.known_hosts.read_text().splitlines()
    wrong = next(line for line in keys if line.startswith(f"{other.address},"))
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(wrong.replace(other.address, host.address) + "\n")
    run = unchanged.refused(
        [
            Listed(host, {"ssh_known_hosts_file": str(known_hosts)}),
            Listed(other, {"ssh_key": "/no/such/key"}),
            unchanged.lab["registry-1"],
        ]
    )
    changed, missing = run.problems
    assert re.match(f"app-1: connection: .*Host key for {host.address} does not match", changed)
    assert re.match("app-2: connection: .*No such private key file: /no/such/key", missing)


def test_every_problem_of_every_host_is_shown_at_once(unchanged: Unchanged) -> None:
    lab = unchanged.lab
    hosts: list[LabHost | Listed] = [
        Listed(lab["app-1"], {"soa_engine": {"port": "1080", "prot": 1}, "sudo": True}),
        Listed(lab["app-2"], {"export_ip": "198.19.255.9"}),
        Listed(lab["registry-1"], {"ssh_port": 23}),
    ]
    run = unchanged.refused(hosts)
    where = [":".join(problem.split(":")[:2]) for problem in run.problems]
    assert where == [
        "app-1: soa_engine.port",
        "app-1: soa_engine.prot",
        "app-1: sudo",
        "app-2: export_ip",
        "registry-1: connection",
    ]


@pytest.fixture
def unfit(bare: Lab) -> Iterator[Lab]:
    """Hosts that can't run an engine: a kernel 2.6, 32 bits, and 32-bit programs alone."""
    lab = Lab(f"{bare.name}-unfit")
    lab.add("old", "bookworm", groups=["engine"], setarch=["x86_64", "--uname-2.6"])
    lab.add("small", "bookworm", groups=["engine"], setarch=["i686"])
    mixed = lab.add("mixed", "bookworm", groups=["engine"])
    mixed.run("printf '#!/bin/sh\\necho 32\\n' > /usr/local/bin/getconf")
    mixed.run("chmod +x /usr/local/bin/getconf")
    yield lab
    lab.down()


def test_hosts_that_cannot_run_an_engine_are_refused(unchanged: Unchanged, unfit: Lab) -> None:
    disks = of_each(unfit.hosts, disk)
    run = unchanged.refused([*unchanged.lab.hosts, *unfit.hosts])
    mixed, old, small = run.problems
    assert re.match(r"mixed: host_check\.userland: expected a 64-bit userland, found 32-bit", mixed)
    assert re.match(r"old: host_check\.kernel: 2\.6\.\S+ can't run engine \d", old)
    assert "the newest that is safe there is 1.7.1: engines from 1.8 on need 3.10" in old
    assert 'or set docker_engine.version = "1.7.1"' in old
    assert re.match(r"small: host_check\.architecture: i686: no engine is .*64-bit host", small)
    assert of_each(unfit.hosts, disk) == disks


@pytest.fixture
def docker_host(bare: Lab) -> Iterator[LabHost]:
    """One of the bare hosts, with Docker for once."""
    bare.reset("app-1", with_docker=True)
    yield bare["app-1"]
    bare.reset("app-1")


def test_a_hung_docker_is_named_in_time(docker_host: LabHost, own: Checkout, bare: Lab) -> None:
    docker_host.run("mv /usr/bin/docker /usr/bin/docker.real")
    docker_host.run("printf '#!/bin/sh\\nexec sleep 1000\\n' > /usr/bin/docker")
    docker_host.run("chmod +x /usr/bin/docker")
    run = Unchanged(own, bare, of_each(bare.hosts, disk)).refused([*bare.hosts], timeout_s=40)
    [problem] = run.problems
    assert problem.startswith("app-1: docker_engine: Docker did not answer within")
    assert "restart the service, and run again" in problem
    assert docker_host.run("pgrep -x sleep", check=False).stdout == ""


def test_a_container_of_another_maker_is_no_victim(
    docker_host: LabHost, own: Checkout, bare: Lab
) -> None:
    docker_host.run("tar -c -T /dev/null | docker import - other:1")
    docker_host.run("docker create --name osp-proxy other:1 /run-me")
    before = containers(docker_host)
    run = Unchanged(own, bare, of_each(bare.hosts, disk)).refused([*bare.hosts])
    [problem] = run.problems
    assert problem.startswith("app-1: proxy.container: a container 'osp-proxy'")
    assert "remove or rename it" in problem
    assert containers(docker_host) == before
