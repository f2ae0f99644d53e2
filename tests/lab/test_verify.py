"""Hosts are verified as they are found: reached or not, and left as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab import Lab, LabHost, machine
from tests.lab.conftest import Fleet
from tests.lab.packages import podman_docker
from tests.lab.reading import commands_sent, disk, of_each, wait_until
from tests.lab.running import Checkout, Listed, Run

DEPLOY = "deploy/verify.py"
VERIFIED_S = 60


def verified(checkout: Checkout, inventory: str, report: Path) -> tuple[Run, dict[str, Any]]:
    """Verify without -y and without a terminal; return the run, and every host's report."""
    run = checkout.run(
        inventory,
        "--data",
        f"verify_report={report}",
        deploy=DEPLOY,
        stdin="silent",
        timeout_s=VERIFIED_S,
    )
    assert "Traceback" not in run.output
    told = json.loads(report.read_text())
    assert told["format"] == 1
    return run, {host["name"]: host for host in told["hosts"]}


def of(host: dict[str, Any], verdict: str) -> dict[str, str]:
    """What the checks with a verdict have found."""
    return {c["check"]: c["found"] for c in host["checks"] if c["verdict"] == verdict}


@contextmanager
def listening(host: LabHost, port: int) -> Iterator[None]:
    """Have somebody else listen on a port."""
    unit = "--unit=squatter --collect --quiet"
    host.run(f"systemd-run {unit} systemd-socket-activate --listen={port} /bin/cat")
    wait_until(lambda: host.run(f"ss -Hltn sport = :{port}").stdout, f"port {port} is taken")
    try:
        yield
    finally:
        host.run("systemctl stop squatter")


def test_hosts_of_every_kind(bare: Lab, own: Checkout, tmp_path: Path) -> None:
    taken, dead, wrong = (bare[name] for name in ("app-1", "app-2", "registry-1"))
    hosts: list[LabHost | Listed] = [taken, dead]
    hosts.append(Listed(wrong, {"host_check": {"accept": ["clock-scew"]}}))
    inventory = own.inventory(hosts, base_image=bare.base_image())
    dead.stop()
    try:
        with listening(taken, 1080):
            disks = of_each(bare.hosts, disk)
            sent = commands_sent(taken)
            run, told = verified(own, inventory, tmp_path / "report.json")
            sent = commands_sent(taken) - sent
        assert of_each(bare.hosts, disk) == disks
    finally:
        dead.boot()
    assert run.exit_code == 1
    assert sent == 2, "one to verify, one to count"
    assert list(told) == ["app-1", "app-2", "registry-1"]
    assert list(of(told["app-1"], "fail")) == ["ports"]
    assert of(told["app-1"], "fail")["ports"] == "taken: 1080 (soa_engine) by systemd-socket-"
    assert of(told["app-1"], "warn")["host-name"].startswith("app-1 resolves to 127.0.1.1")
    assert (told["app-2"]["was_read"], told["app-2"]["checks"]) == (False, [])
    assert told["app-2"]["problems"][0]["key"] == "connection"
    (problem,) = told["registry-1"]["problems"]
    assert problem["key"] == "host_check.accept.0"
    assert "expected one of architecture, " in problem["text"]
    assert of(told["registry-1"], "fail") == {}
    assert "3 hosts: 3 unfit" in run.output
    assert run.output.index("taken: 1080") < run.output.index("resolves to 127.0.1.1")


def test_bare_hosts_are_fit_and_a_name_that_leads_to_itself_is_only_warned_of(
    bare: Lab, own: Checkout, tmp_path: Path
) -> None:
    host = bare["app-1"]
    inventory = own.inventory(bare.hosts, base_image=bare.base_image())
    host.run("cp /etc/hosts /etc/hosts.before")
    host.run(f"sed -i 's/^127.0.1.1/{host.address}/' /etc/hosts")
    try:
        run, told = verified(own, inventory, tmp_path / "report.json")
    finally:
        host.run("mv /etc/hosts.before /etc/hosts")
    assert run.exit_code == 0, run.output
    assert [of(found, "fail") for found in told.values()] == [{}, {}, {}]
    assert "host-name" in of(told["app-1"], "pass")
    assert "host-name" in of(told["app-2"], "warn")


def test_a_serving_fleet_holds_its_own_ports(fleet: Fleet, tmp_path: Path) -> None:
    run, told = verified(fleet.checkout, fleet.inventory, tmp_path / "report.json")
    assert run.exit_code == 0, run.output
    assert {of(host, "pass")["ports"] for host in told.values()} == {"free, or our own"}


def test_the_status_of_every_engine(fleet: Fleet) -> None:
    def status() -> Run:
        return fleet.checkout.run(
            fleet.inventory,
            "--data",
            "action=status",
            deploy="deploy/service.py",
            stdin="silent",
            timeout_s=VERIFIED_S,
        )

    run = status()
    assert run.exit_code == 0, run.output
    for host in fleet.hosts:
        assert re.search(rf"{host.name} .*enabled, running .*2 of 2 running", run.output)
    fleet.registry.run("docker stop osp-sdk")
    down = status()
    fleet.registry.run("docker start osp-sdk")
    assert down.exit_code == 1
    assert re.search(r"registry-1 .*1 of 2 running", down.output)


def test_when_no_host_can_be_reached(bare: Lab, own: Checkout, tmp_path: Path) -> None:
    nowhere = [Listed(host, {"ssh_port": 23}) for host in bare.hosts]
    run, told = verified(own, own.inventory(nowhere), tmp_path / "report.json")
    assert run.exit_code == 1
    assert [host["was_read"] for host in told.values()] == [False, False, False]
    assert "3 hosts: 3 unfit" in run.output


def test_a_report_that_cannot_be_written_is_told_before_hosts_are_read(
    bare: Lab, own: Checkout, tmp_path: Path
) -> None:
    path = tmp_path / "absent" / "report.json"
    sent = commands_sent(bare["app-1"])
    run = own.run(
        own.inventory(bare.hosts), "--data", f"verify_report={path}", deploy=DEPLOY, stdin="closed"
    )
    assert run.exit_code == 1
    assert f"verify_report: {path.parent} is no directory" in run.output
    assert commands_sent(bare["app-1"]) - sent == 1, "to count"


NO_DNS = "rm -f /etc/resolv.conf && echo 'nameserver 198.18.255.254' > /etc/resolv.conf"
OPEN_SOCKET = """echo '{"hosts": ["tcp://0.0.0.0:2375"]}' > /etc/docker/daemon.json"""
FIREWALL = "mkdir -p /etc/ufw /etc/docker && echo 'ENABLED=yes' > /etc/ufw/ufw.conf"
DEAD_SOURCE = "echo 'deb http://{gateway}:9/debian bookworm main' > /etc/apt/sources.list"


def test_what_is_wrong_with_a_host_is_found_by_name(
    kinds: Lab, own: Checkout, tmp_path: Path
) -> None:
    """Many things on one host; on the other, where Docker would lie and come from."""
    small = kinds.add("small", "bullseye", docker_disk_mb=300)
    package = podman_docker("bullseye")
    small.feed(package.read_bytes(), f"cat > /root/{package.name}; dpkg -i /root/{package.name}")
    small.run(f"{NO_DNS} && {FIREWALL} && {OPEN_SOCKET}")
    poor = kinds.add("poor", "bookworm")
    poor.run(DEAD_SOURCE.format(gateway=poor.network.gateway))
    if machine.has_cgroup_v1():
        poor.run("umount /sys/fs/cgroup/freezer")
    data = {"docker_engine": {"config": {"data-root": "/srv/docker"}}}
    hosts = [Listed(small, groups=["engine"]), Listed(poor, data, groups=["engine"])]
    with listening(small, 1080):
        run, told = verified(own, own.inventory(hosts), tmp_path / "report.json")
    assert run.exit_code == 1
    failed, warned = of(told["small"], "fail"), of(told["small"], "warn")
    assert set(failed) == {"disk-data-root", "dns", "conflicting-packages", "ports"}
    assert re.match(r"/var/lib/docker has 2\d\d MiB free of 2\d\d MiB", failed["disk-data-root"])
    assert failed["dns"].endswith("does not resolve")
    assert failed["conflicting-packages"].startswith("podman-docker")
    expected = {"end-of-life", "firewall", "host-name", "package-source", "tcp-socket"}
    assert expected <= set(warned)
    assert warned["end-of-life"].startswith("debian 11 came to its end on 2026-08-31")
    failed = of(told["poor"], "fail")
    if machine.has_cgroup_v1():
        assert failed.pop("cgroups") == "the controllers freezer are not mounted"
    assert set(failed) == {"data-root", "package-source"}
    assert failed["data-root"].startswith("/srv/docker lies on overlayfs")
    assert failed["package-source"].endswith("does not answer within 3 s")
