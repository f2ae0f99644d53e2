"""Hosts themselves: set up once, silent after; what is changed by hand is named, and mended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.reading import disk, of_each, wait_until
from tests.lab.running import Checkout, Listed, Run

DEPLOY = "deploy/host.py"
ROLE = "host_setup"
USER, UID, ZONE = "admin", 2345, "Europe/Berlin"
RANGE, FORWARD = "net.ipv4.ip_local_port_range", "net.ipv4.ip_forward"
HOSTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "setup-12": ("bookworm", ()),
    "setup-13": ("trixie", ()),
    "setup-rpm": ("bookworm", ("rpm",)),
}
NEEDS_PACKAGES: dict[str, Any] = {
    "time_sync": {"servers": ["ntp.example.org"]},
    "log_rotation": {"size_mb": 20, "count": 3},
    "security_updates": True,
}
"""Not on the emulated host of the RPM family: nothing there serves such packages."""


@dataclass(frozen=True)
class Hosts:
    lab: Lab
    checkout: Checkout
    other_key: str

    @property
    def all(self) -> list[LabHost]:
        return [self.lab[name] for name in HOSTS]

    def key(self) -> str:
        return self.lab.private_key.with_suffix(".pub").read_text().strip()

    def wanted(self, name: str) -> dict[str, Any]:
        said: dict[str, Any] = {
            "user": {"name": USER, "uid": UID, "keys": [self.key()], "exclusive": True},
            "name": True,
            "timezone": ZONE,
            "sysctls": {RANGE: "20000 60000"},
            "limits": {"nofile": 4096, "nproc": 8192},
        }
        return said if "rpm" in HOSTS[name][1] else {**said, **NEEDS_PACKAGES}

    def inventory(self, changes: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """Each host as it is wanted; `changes` say otherwise for some."""
        listed = []
        for name in HOSTS:
            said = {**self.wanted(name), **(changes or {}).get(name, {})}
            listed.append(Listed(self.lab[name], {ROLE: said}, groups=["engine"]))
        return self.checkout.inventory(listed)

    def run(self, *options: str, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Run:
        return self.checkout.run(self.inventory(changes), *(options or ("-y",)), deploy=DEPLOY)

    def drift(self) -> set[tuple[str, str]]:
        """Host and path of what differs of the hosts themselves."""
        run = self.checkout.dockyard("drift", self.inventory(), "--format", "json")
        findings = json.loads(run.stdout)["findings"]
        return {(one["host"], one["path"]) for one in findings if one["role"] == ROLE}


@pytest.fixture(scope="module")
def bare_hosts(kinds: Lab, checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    for name, (release, flavours) in HOSTS.items():
        kinds.add(name, release, flavours=flavours)
        kinds[name].run("systemctl unmask apt-daily.timer apt-daily-upgrade.timer")
    kinds["setup-rpm"].run("rpm -qa")  # to read rpm's database leaves files beside it
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOl5vgA5AZQpZXeSTdGzRNaqT7qr3E5Y9Kx3vRok268M other"
    return Hosts(kinds, checkout, other)


@pytest.fixture(scope="module")
def without_sudo(bare_hosts: Hosts) -> LabHost:
    host = bare_hosts.lab["setup-12"]
    host.run("SUDO_FORCE_REMOVE=yes apt-get -y purge sudo", timeout_s=300)
    return host


@pytest.fixture(scope="module")
def hosts(bare_hosts: Hosts, without_sudo: LabHost) -> Hosts:
    """The hosts once they are set up, one of which had no sudo before."""
    dry = bare_hosts.run("--dry")
    run = bare_hosts.run()
    assert run.exit_code == 0, run.output
    assert sorted(run.done) == sorted(dry.planned) != []
    return bare_hosts


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another uid": (
        {"user": {"name": "ops", "uid": 4000, "keys": []}},
        f"{ROLE}.user.uid: expected 4000 for ops, which is there with 1001",
    ),
    "no shell": (
        {"user": {"name": USER, "shell": "/bin/zsh", "keys": []}},
        f"{ROLE}.user.shell: there is no /bin/zsh there",
    ),
    "no timezone": (
        {"timezone": "Europe/Berlni"},
        f"{ROLE}.timezone: 'Europe/Berlni' is no timezone",
    ),
}


def with_keys(said: dict[str, Any], key: str) -> dict[str, Any]:
    """The data with a key that can be used."""
    return {**said, "user": {**said["user"], "keys": [key]}} if "user" in said else said


def refused(hosts: Hosts, changes: Mapping[str, Any], text: str) -> None:
    """See that the data of one host ends the run before anything is changed on any."""
    before = of_each(hosts.all, disk)
    run = hosts.run(changes={"setup-13": changes})
    assert (run.exit_code, run.done) == (1, [])
    assert any(problem.startswith(f"setup-13: {text}") for problem in run.problems), run.output
    assert of_each(hosts.all, disk) == before


@pytest.mark.parametrize("name", BAD)
def test_what_can_not_be_is_refused(bare_hosts: Hosts, name: str) -> None:
    said, text = BAD[name]
    refused(bare_hosts, with_keys(said, bare_hosts.key()), text)


def test_a_line_that_is_no_key_is_refused(bare_hosts: Hosts) -> None:
    user = {"name": USER, "keys": ["ssh-ed25519 AAAAhello"]}
    refused(bare_hosts, {"user": user}, f"{ROLE}.user.keys.0: expected a public key")


def test_broken_sudoers_are_refused(bare_hosts: Hosts) -> None:
    host = bare_hosts.lab["setup-13"]
    host.run("echo 'ann ALL=(ALL NOPASSWD ALL' > /etc/sudoers.d/broken")
    try:
        refused(bare_hosts, {}, f"{ROLE}.user.sudo: visudo -c refuses the host's sudoers")
        said = bare_hosts.run().output
        assert "/etc/sudoers.d/broken:1" in said
    finally:
        host.run("rm /etc/sudoers.d/broken")


def test_all_subjects_are_set_up(hosts: Hosts) -> None:
    for host in hosts.all:
        told = host.run("uname -n; cat /etc/hostname; date +%Z; getent hosts $(uname -n)")
        name, kept, zone, leads = told.stdout.splitlines()
        assert (name, kept) == (host.name, host.name)
        assert zone in ("CET", "CEST")
        assert leads.split()[0] == host.address
        assert host.run(f"cat /proc/sys/{RANGE.replace('.', '/')}").stdout.split() == [
            "20000",
            "60000",
        ]
        assert host.run("id -u; sudo -n id -u", user=USER).stdout.split() == [str(UID), "0"]
        assert host.run("ulimit -n", user=USER).stdout.strip() == "4096"
        told = host.run("/usr/sbin/sshd -T | grep -E '^(password|kbdinteractive)authentication'")
        assert {line.split()[1] for line in told.stdout.splitlines()} == {"no"}
        assert host.run(f"passwd -S {USER}").stdout.split()[1] == "L"
        assert host.run("visudo -c").returncode == 0
    for name in ("setup-12", "setup-13"):
        host = hosts.lab[name]
        said = host.run("apt-config dump Unattended-Upgrade").stdout
        assert 'Package-Blacklist:: "^docker\\.io$"' in said
        assert 'Automatic-Reboot "false"' in said
        assert host.run("systemctl is-enabled systemd-timesyncd").stdout.strip() == "enabled"
        host.run("mkdir -p /apps/logs/sayhello-service-engine")
        log = "/apps/logs/sayhello-service-engine/own.log"
        host.run(f"head -c 30000000 /dev/zero > {log}; logrotate /etc/logrotate.conf")
        assert host.run(f"stat -c %s {log}").stdout.strip() == "0"
        host.run("rm -r /apps")


def test_a_second_run_is_silent(hosts: Hosts) -> None:
    before = of_each(hosts.all, disk)
    run = hosts.run()
    assert (run.exit_code, run.planned, run.done) == (0, [], []), run.output
    assert of_each(hosts.all, disk) == before
    assert hosts.drift() == set()


FILES = {
    "/etc/sudoers.d/admin": "echo '# x' >> /etc/sudoers.d/admin",
    "/etc/security/limits.d/60-dockyard.conf": "echo >> /etc/security/limits.d/60-dockyard.conf",
    "/etc/systemd/journald.conf.d/60-dockyard.conf": "rm /etc/systemd/journald.conf.d/*",
    "/etc/sysctl.d/60-dockyard.conf": "rm /etc/sysctl.d/60-dockyard.conf",
}
STATES = {
    "user admin shell": "usermod -s /bin/sh admin",
    "user admin password": "echo admin:x | chpasswd",
    "/home/admin/.ssh": "chmod 777 /home/admin/.ssh",
    "host name": "hostname other",
    "/etc/localtime": "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime",
    FORWARD: f"sysctl -qw {FORWARD}=0",
    RANGE: f"sysctl -qw {RANGE}='30000 60000'",
}
OF_DEBIAN = {
    "/etc/logrotate.d/dockyard": "echo >> /etc/logrotate.d/dockyard",
    "/etc/systemd/timesyncd.conf.d/dockyard.conf": "rm /etc/systemd/timesyncd.conf.d/dockyard.conf",
    "/etc/apt/apt.conf.d/52dockyard-security-updates": "rm /etc/apt/apt.conf.d/52dockyard*",
    "apt-daily-upgrade.timer": "systemctl disable --now apt-daily-upgrade.timer",
    "systemd-timesyncd.service": "systemctl disable --now systemd-timesyncd",
}


def by_hand(hosts: Hosts, host: LabHost, deeds: Mapping[str, str]) -> None:
    """Do it, see that exactly that is named, have it mended."""
    for deed in deeds.values():
        host.run(deed)
    assert hosts.drift() == {(host.name, path) for path in deeds}
    run = hosts.run()
    assert run.exit_code == 0, run.output
    assert hosts.drift() == set()


@pytest.mark.parametrize("name", HOSTS)
def test_what_was_changed_by_hand_is_named_and_mended(hosts: Hosts, name: str) -> None:
    of_debian = {} if "rpm" in name else OF_DEBIAN
    by_hand(hosts, hosts.lab[name], {**FILES, **STATES, **of_debian})
    host = hosts.lab[name]
    assert host.run("id -u; sudo -n id -u", user=USER).stdout.split() == [str(UID), "0"]


def test_keys_names_and_sshd_that_were_changed_by_hand(hosts: Hosts) -> None:
    host = hosts.lab["setup-12"]
    host.run("sed -i '/^# dockyard: begin$/,$d' /etc/hosts; echo 127.0.1.1 setup-12 >> /etc/hosts")
    host.feed(hosts.other_key.encode(), "cat >> /home/admin/.ssh/authorized_keys")
    host.run("rm /etc/ssh/sshd_config.d/00-dockyard.conf; systemctl reload ssh")
    found = hosts.drift()
    [key] = [path for _, path in found if path.startswith("authorized_keys of admin SHA256:")]
    assert found == {
        (host.name, path)
        for path in (
            key,
            "/etc/hosts setup-12",
            "/etc/ssh/sshd_config.d/00-dockyard.conf",
            "sshd passwordauthentication",
        )
    }
    run = hosts.run()
    assert run.exit_code == 0, run.output
    assert "127.0.1.1" not in host.run("cat /etc/hosts").stdout
    assert hosts.other_key not in host.run("cat /home/admin/.ssh/authorized_keys").stdout
    assert hosts.key().split()[1] not in run.output
    assert hosts.drift() == set()


def test_a_value_that_the_kernel_refuses_is_an_error_and_not_kept(hosts: Hosts) -> None:
    changes = {"setup-13": {"sysctls": {RANGE: "9 8"}}}
    run = hosts.run(changes=changes)
    assert run.exit_code == 1
    assert f"host_setup.sysctls: {RANGE}: the kernel refuses '9 8'" in run.output
    assert "9 8" not in hosts.lab["setup-13"].run("cat /etc/sysctl.d/60-dockyard.conf").stdout
    assert hosts.drift() == set()


def test_it_holds_after_a_reboot(hosts: Hosts) -> None:
    host: LabHost = hosts.lab["setup-13"]
    host.reboot()
    wait_until(lambda: host.run("true", user=USER, check=False).returncode == 0, "it is let in")
    run = hosts.run("--dry")
    assert [line for line in run.planned if FORWARD not in line] == [], Path(host.name)
