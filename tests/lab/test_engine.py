"""The Docker engine from every source, on every kind of host; from one to another; and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabHost, packages
from tests.lab.packages import package_files
from tests.lab.reading import commands_sent, containers, disk, main_pid, of_each
from tests.lab.repository import Repository
from tests.lab.running import Checkout, Listed, Run, Running

DEPLOY = "deploy/engine.py"
OLD, NEW = "20.10.24", "26.1.5"
KEPT = "docker run -d --pull never --name kept --restart always debian:bookworm-slim sleep 99999"


@dataclass(frozen=True)
class Hosts:
    """Hosts of many kinds, and how the product is run on some of them."""

    lab: Lab
    checkout: Checkout
    repo: Repository

    def __getitem__(self, name: str) -> LabHost:
        return self.lab[name]

    @property
    def vendor(self) -> dict[str, Any]:
        return {"repo_url": self.repo.url, "fingerprint": self.repo.fingerprint}

    def start(
        self, engines: Mapping[str, Mapping[str, Any]], *options: str, **data: Any
    ) -> Running:
        """Begin to deploy each host's engine as its data says."""
        hosts = [
            Listed(self.lab[name], {"docker_engine": dict(wanted), **data})
            for name, wanted in engines.items()
        ]
        inventory = self.checkout.inventory(hosts)
        return self.checkout.start(inventory, *(options or ("-y",)), deploy=DEPLOY)

    def run(self, engines: Mapping[str, Mapping[str, Any]], *options: str, **data: Any) -> Run:
        return self.start(engines, *options, **data).wait()

    def done(self, engines: Mapping[str, Mapping[str, Any]]) -> Run:
        """Deploy, and have it succeed."""
        run = self.run(engines)
        assert run.exit_code == 0, run.output
        return run

    def silent(self, engines: Mapping[str, Mapping[str, Any]]) -> None:
        """Deploy, and have nothing change: one exec channel a host, nothing on any disk."""
        hosts = [self.lab[name] for name in engines]
        with_journal = [host for host in hosts if host.name != "sysvinit"]
        before, sent = of_each(hosts, disk), of_each(with_journal, commands_sent)
        run = self.done(engines)
        assert run.planned == run.done == [], run.output
        assert of_each(with_journal, commands_sent) == {name: n + 2 for name, n in sent.items()}
        assert of_each(hosts, disk) == before


@pytest.fixture(scope="module")
def hosts(kinds: Lab, checkout: Checkout, served: Repository) -> Hosts:
    for name, release, flavours in (
        ("bullseye", "bullseye", []),
        ("bookworm", "bookworm", []),
        ("trixie", "trixie", []),
        ("rpm", "bookworm", ["rpm"]),
        ("sysvinit", "bookworm", ["sysvinit"]),
    ):
        kinds.add(name, release, flavours=flavours)
    kinds["rpm"].run("rpm -qa")  # to read rpm's database leaves files beside it
    return Hosts(kinds, checkout, served)


@pytest.fixture
def found(hosts: Hosts, repo: Repository) -> Hosts:
    """The hosts as the last test left them, the repository healed."""
    return hosts


def by_file(release: str, version: str) -> dict[str, Any]:
    files = package_files(release, version)
    listed = [{"path": str(file), "sha256": packages.sha256(file)} for file in files]
    return {"source": "files", "files": listed}


def version(host: LabHost) -> str:
    return (
        host.run("docker version --format '{{.Server.Version}}'").stdout.strip().partition("+")[0]
    )


def runs_containers(host: LabHost, lab: Lab) -> bool:
    if "debian" not in host.run("docker images").stdout:
        host.feed(lab.base_image("bookworm"), "docker import - debian:bookworm-slim")
    told = host.run(
        "docker run --rm --pull never --memory 100m debian:bookworm-slim cat /etc/debian_version"
    )
    return told.stdout.startswith("12.")


def held(host: LabHost) -> set[str]:
    """The packages of an engine that a system upgrade leaves alone, as the host's tools tell it."""
    if host.name == "rpm":
        line = host.run("sed -n 's/^exclude=//p' /etc/dnf/dnf.conf").stdout
        return set(line.split())
    return set(host.run("apt-mark showhold").stdout.split())


MADE = "docker create --name {} --label {} --env SECRET=c4n4ry debian:bookworm-slim true"
OURS = MADE.format("ours", "dockyard.part=proxy")
THEIRS = MADE.format("theirs", "'odd={[,\\\"'")
AT_SOCKET = "mkdir -p /tmp/no && ln -sf /bin/false /tmp/no/docker; export PATH=/tmp/no:$PATH"
BY_COMMAND = "export DOCKER_CONTEXT=default"


PROBE = Path(__file__).parents[2] / "roles/observed/probe.sh"
OF_ENGINE = ("docker", "containers", "inspect", "images", "image_configs", "networks")


def engine_told(host: LabHost, way: str) -> dict[str, list[str]]:
    """What the probe prints of an engine, by section, in an order of its own."""
    text = host.run(f"{way}; sh -s -- 10 networks all </tmp/probe.sh").stdout
    assert text.count("c4n4ry") == 1
    found: dict[str, list[str]] = {}
    for part in text.split("\n@@")[1:]:
        name, *lines = part.splitlines()
        found.setdefault(name, []).extend(in_order(line) for line in lines if line)
    return {name: sorted(found[name]) for name in OF_ENGINE}


def in_order(line: str) -> str:
    return json.dumps(json.loads(line), sort_keys=True) if line.startswith("{") else line


def told_both_ways(host: LabHost) -> list[dict[str, list[str]]]:
    """At the engine's socket, where there is no other way, and by `docker`."""
    host.feed(PROBE, "cat >/tmp/probe.sh")
    host.run(f"{OURS} && {THEIRS}")
    both = [engine_told(host, way) for way in (AT_SOCKET, BY_COMMAND)]
    host.run("docker rm ours theirs && rm -r /tmp/no /tmp/probe.sh")
    return both


DISTRO = {"source": "distro"}
VENDOR_SET = {"docker-ce", "docker-ce-cli", "containerd.io"}
DEBIAN_SET = {"docker.io", "containerd", "runc"}


def first_column(hosts: Hosts) -> dict[str, dict[str, Any]]:
    return {
        "bullseye": DISTRO,
        "bookworm": DISTRO,
        "trixie": {"source": "vendor", "vendor": hosts.vendor, "version": OLD},
        "rpm": {"source": "vendor", "vendor": hosts.vendor, "version": NEW},
        "sysvinit": DISTRO,
    }


def test_every_kind_of_host_gets_its_engine_and_keeps_it(found: Hosts) -> None:
    engines = first_column(found)
    listed = [found[name] for name in engines]
    bare = of_each(listed, disk)
    dry = found.run(engines, "--dry")
    assert dry.exit_code == 0, dry.output
    assert of_each(listed, disk) == bare
    first = found.done(engines)
    assert sorted(first.done) == sorted(first.planned) == sorted(dry.planned)
    assert f"docker-ce 5:{OLD}-1~debian.13~trixie" in first.output
    found.silent(engines)

    expected = {"bullseye": "20.10.5", "bookworm": OLD, "trixie": OLD, "rpm": NEW, "sysvinit": OLD}
    assert of_each(listed, version) == expected
    assert of_each(listed, held) == {
        "bullseye": DEBIAN_SET,
        "bookworm": DEBIAN_SET,
        "trixie": VENDOR_SET,
        "rpm": VENDOR_SET,
        "sysvinit": DEBIAN_SET,
    }
    assert all(of_each(listed, lambda host: runs_containers(host, found.lab)).values())
    for at_socket, by_command in of_each(listed, told_both_ways).values():
        assert at_socket == by_command
        assert len(by_command["containers"]) == 2

    of_each(listed, LabHost.reboot)
    for host in listed:
        host.run("timeout 60 sh -c 'until docker version; do sleep 0.2; done'", timeout_s=70)
    found.silent(engines)
    assert all(of_each(listed, lambda host: runs_containers(host, found.lab)).values())


def test_a_system_upgrade_leaves_a_held_engine_alone(found: Hosts) -> None:
    """The repository has a newer one of both, and would move to it where it is not held."""
    trixie, rpm = found["trixie"], found["rpm"]
    found.done({"rpm": {**first_column(found)["rpm"], "version": OLD, "allow_downgrade": True}})
    trixie.run("apt-get update && apt-get -y upgrade", timeout_s=300)
    rpm.run("dnf -y upgrade", timeout_s=300)
    assert version(trixie) == version(rpm) == OLD
    trixie.run("apt-mark unhold docker-ce")
    assert "Inst docker-ce " in trixie.run("apt-get -s upgrade").stdout
    run = found.done({"trixie": first_column(found)["trixie"]})
    assert [line.split(": ")[2] for line in run.done] == [
        "hold docker-ce, docker-ce-cli, containerd.io"
    ]
    assert held(trixie) == VENDOR_SET


@pytest.mark.full
def test_a_containers_host_goes_from_source_to_source_and_back(found: Hosts) -> None:
    host = found["bookworm"]
    host.run(KEPT)
    kept = containers(host)["kept"].id
    images = host.run("docker images --quiet").stdout
    vendor = {"source": "vendor", "vendor": found.vendor, "version": NEW}
    run = found.done({"bookworm": vendor})
    assert f"in place of docker.io {OLD}" in run.planned[0]
    assert version(host) == NEW
    found.silent({"bookworm": vendor})

    before = disk(host)
    refused = found.run({"bookworm": DISTRO})
    assert refused.exit_code == 1
    [problem] = refused.problems
    assert "would be a downgrade" in problem
    assert "set docker_engine.allow_downgrade" in problem
    assert disk(host) == before

    found.done({"bookworm": {**DISTRO, "allow_downgrade": True}})
    assert version(host) == OLD
    assert held(host) == DEBIAN_SET
    found.silent({"bookworm": DISTRO})
    assert containers(host)["kept"].id == kept
    assert containers(host)["kept"].running
    assert host.run("docker images --quiet").stdout == images


@pytest.mark.full
def test_files_and_a_script_install_without_a_package_source(found: Hosts) -> None:
    found.lab.reset("bookworm", "trixie", "rpm")
    script = Path(found.checkout.directory, "get-engine.sh")
    script.write_text(SCRIPT.format(url=found.repo.url))
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    engines = {
        "bookworm": by_file("bookworm", OLD),
        "rpm": by_file("el9", NEW),
        "trixie": {"source": "script", "script": {"path": str(script), "sha256": digest}},
    }
    found.repo.requests.clear()
    found.done(engines)
    assert not [path for path in found.repo.requests if "bookworm" in path or "rhel" in path]
    found.silent(engines)
    listed = [found[name] for name in engines]
    assert of_each(listed, version) == {"bookworm": OLD, "rpm": NEW, "trixie": NEW}
    assert of_each(listed, held) == dict.fromkeys(engines, VENDOR_SET)
    found.done({"bookworm": by_file("bookworm", NEW), "rpm": by_file("el9", NEW)})
    assert version(found["bookworm"]) == NEW


SCRIPT = """#!/bin/sh
set -e
mkdir -p /etc/apt/keyrings
/usr/lib/apt/apt-helper download-file {url}/debian/gpg /etc/apt/keyrings/script.asc
echo "deb [signed-by=/etc/apt/keyrings/script.asc] {url}/debian trixie stable" \\
    > /etc/apt/sources.list.d/script.list
apt-get update
apt-get -y install docker-ce docker-ce-cli containerd.io
"""


def test_an_engine_that_is_present_is_only_verified(found: Hosts) -> None:
    host = found["bookworm"]
    host.run("apt-mark unhold $(apt-mark showhold)")
    found.silent({"bookworm": {"source": "present"}})
    wrong = found.run({"bookworm": {"source": "present", "version": "1.13.1"}})
    [problem] = wrong.problems
    assert "docker_engine.version: expected 1.13.1, found" in problem
    found.lab.reset("bookworm")
    [problem] = found.run({"bookworm": {"source": "present"}}).problems
    assert "docker_engine.source: 'present' expects an engine" in problem


def test_a_host_s_own_configuration_survives(found: Hosts) -> None:
    host = found["bookworm"]
    own = '{"max-concurrent-downloads": 2, "log-opts": {"tag": "x"}}'
    host.run(f"mkdir -p /etc/docker && echo '{own}' > /etc/docker/daemon.json")
    found.done({"bookworm": DISTRO})
    told = host.run("cat /etc/docker/daemon.json").stdout
    assert '"max-concurrent-downloads": 2' in told
    assert '"tag": "x"' in told
    assert '"max-size": "10m"' in told

    before = main_pid(host, "docker")
    run = found.done({"bookworm": {**DISTRO, "config": {"debug": True}}})
    assert "reload the engine" in run.done[0]
    assert main_pid(host, "docker") == before
    assert "Debug Mode: true" in host.run("docker info").stdout
    run = found.done({"bookworm": {**DISTRO, "config": {"default-shm-size": "32m"}}})
    assert "restart the engine" in run.done[0]
    assert main_pid(host, "docker") != before


@pytest.mark.full
def test_a_site_without_a_way_out_goes_by_its_proxy(found: Hosts) -> None:
    host = found["trixie"]
    found.lab.reset("trixie")
    proxy = found.repo.url
    data = {
        "source": "vendor",
        "version": NEW,
        "vendor": {
            "repo_url": "http://mirror.example",
            "key": str(found.repo.key),
            "fingerprint": found.repo.fingerprint,
        },
        "proxy": {"http": proxy, "exempt": proxied_not(host)},
    }
    found.done({"trixie": data})
    assert version(host) == NEW
    environment = host.run("systemctl show docker --property Environment").stdout
    assert f"HTTP_PROXY={proxy}" in environment
    assert any(url.startswith("http://mirror.example/debian/dists") for url in found.repo.by_proxy)
    found.silent({"trixie": data})


def proxied_not(host: LabHost) -> list[str]:
    """The host's other package sources, which the proxy does not know."""
    lines = host.run("grep -rhoE 'https?://[^/ ]+' /etc/apt/sources.list*").stdout.split()
    return sorted({line.partition("//")[2] for line in lines})
