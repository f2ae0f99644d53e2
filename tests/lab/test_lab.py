"""The lab itself: what up makes, what a crash leaves and up repairs, and that down leaves nothing.

What is on the machine is read with its own tools. Other labs may run beside these tests.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, LabError, LabHost, base, claims, machine


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def traces(lab: Lab, number: int) -> list[str]:
    """Return what the machine shows of a lab: interfaces, rules, mounts, processes, groups."""
    lines = output("ip", "-oneline", "link").splitlines()
    lines += output("iptables", "-S").splitlines()
    lines += output("iptables", "-t", "nat", "-S").splitlines()
    lines += Path("/proc/self/mountinfo").read_text().splitlines()
    lines += output("ps", "-eo", "args").splitlines()
    lines += output(
        "find", "/sys/fs/cgroup", "-path", "*/dockyard-lab/*", "-type", "d"
    ).splitlines()
    marks = (f"dockyard{number}", f"vb-{number}-", f"/dockyard-lab/{number}-", str(lab.directory))
    return [line for line in lines if any(mark in line for mark in marks)]


def parent(pid: int | None) -> int:
    return int(output("ps", "-o", "ppid=", "-p", str(pid)))


def supervisor(host: LabHost) -> int:
    return parent(parent(host.leader_pid))


def remove(name: str) -> Iterator[Lab]:
    lab = Lab(name)
    lab.down()
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    """Two hosts of both releases."""
    for lab in remove("check"):
        lab.up(hosts=2, registry=0)
        yield lab


@pytest.fixture
def other() -> Iterator[Lab]:
    """A lab that is not up."""
    yield from remove("check-other")


def test_a_bare_host_has_an_init_and_ssh_and_nothing_of_docker(pair: Lab) -> None:
    for host in pair.hosts:
        addresses = [address for address in (host.address, host.address6) if address]
        assert host.run("cat /proc/1/comm; hostname -I").stdout.split() == ["systemd", *addresses]
        assert host.run("systemctl is-system-running --wait").stdout == "running\n"
        found = host.run("command -v docker dockerd containerd python3 curl", check=False)
        assert found.stdout == ""
        codename = host.run(". /etc/os-release; echo $VERSION_CODENAME").stdout.strip()
        assert codename == host.release
    assert [host.release for host in pair.hosts] == ["bookworm", "trixie"]


def test_each_user_has_the_rights_that_it_is_there_for(pair: Lab) -> None:
    for host in pair.hosts:
        assert host.run("sudo -n id -u", user="deployer").stdout == "0\n"
        assert host.run("sudo -n id -u", user="ops", check=False).returncode != 0
        assert host.run("echo ops-lab | sudo -S id -u", user="ops").stdout == "0\n"
        assert host.run("echo ops-lab | sudo -S id -u", user="guest", check=False).returncode != 0


def test_a_host_with_another_key_is_refused(pair: Lab) -> None:
    host, impostor = pair.hosts
    lines = pair.known_hosts.read_text()
    key, other_key = (line.split()[2] for line in lines.splitlines())
    try:
        pair.known_hosts.write_text(lines.replace(key, other_key))
        with pytest.raises(LabError, match="verification failed"):
            host.run("true")
        impostor.run("true")
    finally:
        pair.known_hosts.write_text(lines)


def test_each_command_is_one_line_in_the_log(pair: Lab) -> None:
    for host in pair.hosts:
        count = "journalctl -b | grep -c 'Starting session: command'"
        before = int(host.run(count).stdout)
        host.run("true")
        assert int(host.run(count).stdout) == before + 2


def test_up_leaves_hosts_that_match_alone(pair: Lab) -> None:
    before = [host.leader_pid for host in pair.hosts]
    again = Lab(pair.name)
    again.up(hosts=2, registry=0)
    assert [host.leader_pid for host in again.hosts] == before


def test_a_reboot_from_inside_brings_the_host_back(pair: Lab) -> None:
    for host in pair.hosts:
        boot = host.run("echo kept > /root/file; cat /proc/sys/kernel/random/boot_id").stdout
        leader = host.leader_pid
        assert leader
        host.run("systemctl reboot", check=False)
        host.wait_for_reboot(leader, timeout_s=60)
        assert host.run("cat /proc/sys/kernel/random/boot_id").stdout != boot
        assert host.run("cat /root/file").stdout == "kept\n"
        assert (host.upper / "root/file").read_text() == "kept\n"


def test_a_stopped_host_keeps_its_disk(pair: Lab) -> None:
    host = pair["app-1"]
    host.run("echo kept > /root/file; sync")
    for end in (host.stop, host.kill):
        end()
        assert not host.is_running
        host.boot()
        assert (host.root / "root/file").read_text() == "kept\n"


def test_poweroff_from_inside_ends_the_host(pair: Lab) -> None:
    host = pair["app-2"]
    host.run("systemctl poweroff", check=False)
    host.stop()
    assert not host.is_running
    pair.up(hosts=2, registry=0)
    assert pair["app-2"].is_running


def test_up_repairs_what_a_crash_left(pair: Lab) -> None:
    host = pair["app-1"]
    host.run("echo kept > /root/file; sync")
    nspawn = parent(host.leader_pid)
    for pid in (parent(nspawn), nspawn):
        os.kill(pid, signal.SIGKILL)
    output("ip", "link", "delete", pair["app-2"].veth)
    pair["app-2"].kill()
    subprocess.run(["ip", "link", "add", host.veth, "type", "dummy"], check=False)
    Lab(pair.name).up(hosts=2, registry=0)
    assert host.run("cat /root/file").stdout == "kept\n"
    assert pair["app-2"].run("true").returncode == 0


def test_an_unsupervised_host_is_booted_again(pair: Lab) -> None:
    host = pair["app-1"]
    leader = host.leader_pid
    os.kill(supervisor(host), signal.SIGKILL)
    Lab(pair.name).up(hosts=2, registry=0)
    assert host.leader_pid != leader
    host.reboot()


def test_reset_makes_a_host_bare_and_keeps_its_key(pair: Lab) -> None:
    host = pair["app-1"]
    host.run("echo gone > /root/file")
    pair.reset("app-1", with_docker=True)
    assert host.run("test -e /root/file", check=False).returncode == 1
    assert Lab(pair.name)["app-1"].spec.with_docker
    with pair.base_image("bookworm").open("rb") as tar:
        command = [*host.ssh_command(), "docker import - debian:bookworm-slim"]
        subprocess.run(command, stdin=tar, check=True, capture_output=True)
    container = "docker run --rm --memory 100m debian:bookworm-slim cat /etc/debian_version"
    assert host.run(container).stdout.startswith("12.")
    pair.reset("app-1")
    assert host.run("command -v docker", check=False).stdout == ""
    assert host.run("ls /var/lib/docker /var/lib/containerd").stdout.split() == [
        "/var/lib/containerd:",
        "/var/lib/docker:",
    ]


def test_hosts_of_a_lab_reach_each_other_by_ipv6(pair: Lab) -> None:
    if not machine.has_ipv6():
        pytest.skip("this machine has IPv6 off")
    banner = f"exec 3<>/dev/tcp/{pair['app-2'].address6}/22; head -c 4 <&3"
    assert pair["app-1"].run(f"bash -c '{banner}'").stdout == "SSH-"


def test_labs_have_subnets_of_their_own_and_reach_each_other(pair: Lab, other: Lab) -> None:
    other.up(hosts=1, registry=0)
    assert other.network and pair.network and other.network != pair.network
    peer = other["app-1"]
    banner = f"exec 3<>/dev/tcp/{peer.address}/22; head -c 4 <&3"
    assert pair["app-1"].run(f"bash -c '{banner}'").stdout == "SSH-"
    # Not masqueraded: a host sees the real address of its caller.
    # sshd tells of a connection that ended early a moment after the caller has gone.
    caller = pair["app-1"].address
    seen = f"journalctl -b -u ssh | grep -qw {caller}"
    peer.run(f'timeout 10 sh -c "until {seen}; do journalctl --sync; sleep 0.1; done"')


def test_down_leaves_nothing(other: Lab) -> None:
    other.up(hosts=1, registry=1, release="trixie")
    extra = other.add("a-rather-long-name", "bookworm", groups=["engine"])
    assert extra.run("hostname").stdout == "a-rather-long-name\n"
    assert {host.release for host in other.hosts} == {"trixie", "bookworm"}
    assert other.network
    number = other.network.number
    assert len(traces(other, number)) > 10
    os.kill(supervisor(extra), signal.SIGKILL)
    other.down()
    assert traces(other, number) == []
    assert not other.directory.exists()
    assert list(base.cache().glob("building/*")) == []


def test_a_host_can_look_old_or_small(other: Lab) -> None:
    old = other.add("old", "bookworm", setarch=["x86_64", "--uname-2.6"])
    small = other.add("small", "trixie", setarch=["i686"])
    assert old.run("uname -r").stdout.startswith("2.6.")
    assert small.run("uname -m").stdout == "i686\n"
    assert [host.name for host in Lab(other.name).hosts] == ["old", "small"]


def test_the_last_lab_puts_kernel_settings_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dict.fromkeys(claims.SETTINGS, 0)
    monkeypatch.setattr(claims, "RUN", tmp_path)
    monkeypatch.setattr(claims, "_setting", settings.__getitem__)
    monkeypatch.setattr(claims, "_set", settings.__setitem__)
    first, second = tmp_path / "lab", tmp_path / "another"
    assert (claims.claim(first, None), claims.claim(second, None)) == (0, 2)
    assert settings == claims.SETTINGS
    claims.release(first)
    assert settings == claims.SETTINGS
    claims.release(second)
    assert settings == dict.fromkeys(claims.SETTINGS, 0)


def test_a_subnet_that_another_lab_took_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RUN", tmp_path)
    monkeypatch.setattr(claims, "SETTINGS", {})
    assert claims.claim(tmp_path / "one", 7) == 7
    with pytest.raises(LabError, match="one has its subnet"):
        claims.claim(tmp_path / "two", 7)


def test_what_the_machine_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LabError, match=r"systemd-nspawn \(package systemd-container\)"):
        machine.require()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"):
        machine.require()
