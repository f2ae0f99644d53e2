"""What the probe tells of a host's fitness, as captured on real hosts and as it might be."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from roles.observed import Disk, Fitness, Listener, Source
from roles.observed.fitness import FEATURES, fitness
from roles.observed.parse import ProbeError, parse
from roles.observed.probe import Look, clock_skew_s

DATA = File(__file__).parent / "data"
REAL = sorted(path.stem for path in DATA.glob("*.txt"))


def real(name: str) -> Fitness:
    return parse((DATA / f"{name}.txt").read_bytes()).fitness


def told(**sections: str) -> Fitness:
    return fitness({name: text.splitlines() for name, text in sections.items()})


def test_a_serving_host() -> None:
    found = real("serving-bookworm")
    assert found.time_s == pytest.approx(1795814814.630, abs=0.001)
    assert found.namespaces >= {"mnt", "pid", "net", "ipc", "uts", "user"}
    assert dict(found.features) == dict.fromkeys(FEATURES, "there")
    assert found.options["OVERLAY_FS"] == "y"
    assert found.sysctls["net.ipv4.ip_forward"] == "1"
    assert found.has_seccomp is True
    assert found.mounted_controllers >= {"cpu", "cpuset", "memory", "pids", "devices", "freezer"}
    assert (found.memory_kib, found.available_kib) == (24683656, 23055056)
    assert (found.name, found.name_addresses) == ("app-1", ("127.0.1.1",))
    assert (found.selinux, found.has_apparmor, found.firewalls) == (None, False, frozenset())
    assert found.has_ipv6
    assert Listener(1080, "docker-proxy") in found.listeners
    assert Listener(2080, "haproxy") in found.listeners
    assert found.disks["/var/lib/docker"] == Disk(
        "/var/lib/docker", "ext2/ext3", 264212084, 76510640, 16777216, 16264224
    )
    assert found.source is None


def test_a_bare_host() -> None:
    found = real("bare-bookworm")
    assert found.listeners == (Listener(22, "sshd"), Listener(22, "sshd"))
    assert found.disks["/apps/logs/osp-proxy"].place == "/"
    assert found.source == Source("http://198.18.0.12:22", None, True, True)


@pytest.mark.parametrize("name", REAL)
def test_every_real_host_tells_all_of_it(name: str) -> None:
    found = real(name)
    assert found.time_s
    assert found.memory_kib
    assert "unknown" not in found.features.values()
    assert set(found.disks) == {"/var/lib/docker", "/apps/logs/osp-proxy"}
    assert found.conflicting == ()


def test_a_host_that_tells_nothing() -> None:
    assert told() == Fitness()
    nothing = told(fitness="time=\nnamespaces=\nmemory=\nname=", features="", kernel_config="")
    assert (nothing.time_s, nothing.memory_kib, nothing.namespaces) == (None, None, frozenset())
    assert dict(nothing.features) == dict.fromkeys(FEATURES, "unknown")


@pytest.mark.parametrize(
    "features, config, state",
    [
        ("seen=veth", "", "there"),
        ("", "CONFIG_VETH=y", "there"),
        ("loadable=veth\nmodules=yes", "CONFIG_VETH=m", "loadable"),
        ("modules=yes", "CONFIG_VETH=m", "absent"),
        ("", "CONFIG_BRIDGE=y", "absent"),
        ("modules=yes", "", "absent"),
        ("", "", "unknown"),
    ],
    ids=[
        "seen",
        "built-in",
        "module",
        "module-not-installed",
        "not-built",
        "no-module",
        "nothing-tells",
    ],
)
def test_a_part_of_the_kernel(features: str, config: str, state: str) -> None:
    assert told(fitness="name=a", features=features, kernel_config=config).features["veth"] == state


@pytest.mark.parametrize(
    "evidence, name",
    [
        ("loadable=iptable_nat", "nf_nat"),
        ("seen=ipt_addrtype", "xt_addrtype"),
        ("seen=xt_addrtype", "xt_addrtype"),
    ],
)
def test_a_part_has_old_and_new_names(evidence: str, name: str) -> None:
    found = told(fitness="name=a", features=f"modules=yes\n{evidence}").features
    assert found[name] != "absent"


@pytest.mark.parametrize(
    "line, disk",
    [
        ("disk|/a|/|1|4096 25 10 7 5|xfs", Disk("/", "xfs", 100, 40, 7, 5, True)),
        ("disk|/a|/|0|4096 25 10 7 5|xfs", Disk("/", "xfs", 100, 40, 7, 5, False)),
        ("disk|/a|/||512 200 80 7 5|xfs", Disk("/", "xfs", 100, 40, 7, 5, None)),
        ("disk|/a|/||4096 25 10 0 0|btrfs", Disk("/", "btrfs", 100, 40, 0, 0)),
        ("disk|/a|/||", Disk("/", "", 0, 0, 0, 0)),
    ],
    ids=["ftype-1", "ftype-0", "ftype-untold", "no-inodes", "hung"],
)
def test_a_disk(line: str, disk: Disk) -> None:
    assert told(disks=line).disks == {"/a": disk}


@pytest.mark.parametrize(
    "line, listener",
    [
        ("LISTEN 0 128 *:80 *:*", Listener(80, None)),
        ('LISTEN 0 5 [::ffff:127.0.0.1]:81 *:* users:(("java",pid=1,fd=2))', Listener(81, "java")),
        ('LISTEN 0 5 :::83 :::* users:(("sshd",1234,3))', Listener(83, "sshd")),
        ('LISTEN 0 5 a:82 *:* users:(("a b",pid=1,fd=2),("c",pid=3,fd=4))', Listener(82, "a b")),
    ],
)
def test_a_listener(line: str, listener: Listener) -> None:
    assert told(listeners=line).listeners == (listener,)


@pytest.mark.parametrize(
    "text, found",
    [
        ("", None),
        ("place=", None),
        ("place=http://a\nproxy=\nresolves=\nconnects=no", Source("http://a", None, False, False)),
        (
            "place=http://a\nproxy=b:1\nresolves=1.2.3.4\nconnects=",
            Source("http://a", "b:1", True, None),
        ),
    ],
)
def test_a_source(text: str, found: Source | None) -> None:
    assert told(source=text).source == found


def test_what_else_a_host_may_tell() -> None:
    found = told(
        fitness="firewall=ufw\nfirewall=firewalld\nselinux=1\napparmor=Y\napparmor_parser=/sbin/a\n"
        "ipv6=eth0\nmemory=MemTotal:100 MemFree:5",
        conflicting="name=podman-docker\nname=docker (snap)",
    )
    assert found.firewalls == {"ufw", "firewalld"}
    assert found.selinux == "enforcing"
    assert (found.has_apparmor, found.has_apparmor_parser, found.has_ipv6) == (True, True, True)
    assert (found.memory_kib, found.available_kib) == (100, 5)
    assert found.conflicting == ("podman-docker", "docker (snap)")


@pytest.mark.parametrize("section", ["disks", "listeners"])
def test_garbage_is_refused_as_such(section: str) -> None:
    output = (DATA / "bare-bookworm.txt").read_text()
    spoilt = output.replace(f"@@{section}\n", f"@@{section}\nno such line\n")
    with pytest.raises(ProbeError, match="could not be read"):
        parse(spoilt.encode())


@pytest.mark.parametrize(
    "began, told_s, ended, skew",
    [
        (10.0, 10.5, 11.0, 0.0),
        (10.0, 14.5, 30.0, 0.0),
        (10.0, 12.5, 11.0, 1.5),
        (10.0, 8.5, 11.0, -1.5),
        (10.7, 10.0, 11.0, 0.0),
        (10.7, 9.0, 11.0, pytest.approx(-0.7)),
        (10.0, None, 11.0, None),
    ],
    ids=["between", "slow-link", "ahead", "behind", "whole-seconds", "whole-and-behind", "untold"],
)
def test_the_clock(began: float, told_s: float | None, ended: float, skew: float | None) -> None:
    assert clock_skew_s(began, told_s, ended) == skew


def test_the_arguments_of_a_look() -> None:
    look = Look(disks=("/a", "/b"), source="distro", proxy="p:1")
    assert look.arguments == ["disk", "/a", "disk", "/b", "source", "distro", "proxy", "p:1"]
