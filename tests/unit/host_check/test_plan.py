"""Every check: a host that is fit, and hosts that are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest

from roles.host_check.finding import Finding
from roles.host_check.plan import ALWAYS, CHECKS, check, findings, subject, warnings
from roles.host_check.texts import TEXTS
from roles.host_check.versions import NEWEST
from roles.observed import Address, Container, Disk, Listener, Observed, Releases, Source
from roles.observed.fitness import FEATURES
from tests.unit.build import GIB, NOW_S, bare, disk, fit, fitted, fleet, member

OLD = {"kernel": "2.6.32-754.el6.x86_64", "os_id": "centos", "os_version": "6.10"}
EL7 = {"os_id": "centos", "os_version": "7", "os_like": ("rhel", "fedora")}
SHA = "0" * 64
FILES = {
    "docker_engine": {
        "source": "files",
        "files": [
            {"path": f"debs/{name}_26.1.4-1~debian.12~bookworm_amd64.deb", "sha256": SHA}
            for name in ("containerd.io", "docker-ce-cli", "docker-ce")
        ],
    }
}
SCRIPT = {"docker_engine": {"source": "script", "script": {"path": "get-docker.sh", "sha256": SHA}}}
NO_ENGINE = {
    "docker_engine": {"source": "files", "files": [{"path": "a_1_amd64.deb", "sha256": SHA}]}
}
NO_FEATURES = dict.fromkeys(FEATURES, "absent")
V1 = frozenset({"cpu", "cpuset", "memory", "devices", "freezer", "pids", "blkio"})


def of(name: str, observed: Observed, **wanted: Any) -> Finding:
    """What one check says of `app-1`."""
    host = subject(member("app-1", observed=observed, **wanted))
    return next(finding for finding in findings(host) if finding.check == name)


def with_fitness(**changes: Any) -> Observed:
    return bare(fitness=fit(**changes))


def at_ipv6(ip: str, called: str) -> Observed:
    """A host with one address, which resolves its own name to `called`."""
    return bare(
        addresses=(Address("eth0", IPv6Address(ip), 64),), fitness=fit(name_addresses=(called,))
    )


def with_disks(*, root: Disk | None = None, logs: Disk | None = None) -> Observed:
    return with_fitness(
        disks={"/var/lib/docker": root or disk(), "/apps/logs/engine": logs or disk()}
    )


NOT_FORWARDING = with_fitness(sysctls={"net.ipv4.ip_forward": "0"})


def version(text: str, **more: Any) -> dict[str, Any]:
    return {"docker_engine": {"version": text, **more}}


def config(**values: Any) -> dict[str, Any]:
    return {"docker_engine": {"config": {key.replace("_", "-"): v for key, v in values.items()}}}


@pytest.mark.parametrize("observed", [bare(), fitted()], ids=["bare", "with-an-engine"])
def test_a_fit_host(observed: Observed) -> None:
    told = findings(subject(member("app-1", observed=observed)))
    assert [finding.check for finding in told if finding.verdict != "pass"] == []
    assert [finding.check for finding in told] == list(TEXTS) == list(CHECKS)


def test_an_engine_that_is_newer_than_the_table_is_no_reason_to_refuse() -> None:
    assert of("kernel", bare(), **version("99.1.0")).verdict == "pass"
    assert of("architecture", bare(), **version("99.1.0")).verdict == "pass"


FAILS = [
    ("root", bare(user_id=1000), {}, "commands run as user 1000, expected root"),
    (
        "architecture",
        bare(architecture="i686", userland_bits=32),
        {},
        "i686: no engine is made for",
    ),
    (
        "architecture",
        bare(architecture="armv7l", userland_bits=32, **EL7),
        {},
        "armv7l: 32-bit ARM is packaged for Debian and Ubuntu alone",
    ),
    (
        "architecture",
        bare(architecture="armv6l", userland_bits=32, os_id="raspbian"),
        {},
        "armv6l runs engines up to 28.5.2, wanted 29.3.0",
    ),
    ("architecture", bare(architecture="vax"), {}, "vax: no engine is known for vax"),
    (
        "userland",
        bare(userland_bits=32),
        {},
        "expected a 64-bit userland, found 32-bit programs on a x86_64 kernel",
    ),
    (
        "kernel",
        bare(**OLD),
        {},
        "2.6.32-754.el6.x86_64 can't run engine 29.3.0; the newest that is safe there is 1.7.1: "
        "engines from 1.8 on need 3.10",
    ),
    (
        "kernel",
        bare(kernel="2.6.78.44"),
        version("5:26.1.5-1~debian.12~bookworm"),
        "2.6.78.44 can't run engine 26.1.5; the newest that is safe there is 1.7.1",
    ),
    ("kernel", bare(kernel="3.9.11"), version("1.8"), "3.9.11 can't run engine 1.8; the newest"),
    ("kernel", bare(kernel="2.6.18-8.el5"), {}, "2.6.18-8.el5 runs no engine: no engine is known"),
    (
        "kernel",
        bare(kernel="3.13.0-24-generic"),
        {},
        "3.13.0-24-generic can't run engine 29.3.0; the newest that is safe there is 20.10.27",
    ),
    (
        "kernel",
        bare(kernel="3.10.0-327.el7.x86_64", **EL7),
        {},
        "3.10.0-327.el7.x86_64 can't run engine 29.3.0; the newest that is safe there is 20.10.27",
    ),
    ("kernel", bare(kernel=""), {}, "'' is no kernel's version"),
    ("init", bare(init="openrc-init"), {}, "expected systemd or sysvinit, found openrc-init"),
    (
        "namespaces",
        with_fitness(namespaces=frozenset({"mnt", "net", "uts", "user"})),
        {},
        "the kernel has no namespace of the kind pid, ipc",
    ),
    (
        "namespaces",
        bare(kernel="3.2.0", fitness=fit(namespaces=frozenset(), options={"NET_NS": "y"})),
        {},
        "the kernel has no namespace of the kind mnt, pid, ipc, uts",
    ),
    (
        "user-namespace",
        with_fitness(sysctls={"user.max_user_namespaces": "0"}),
        config(userns_remap="default"),
        "docker_engine.config has userns-remap, but user namespaces are off",
    ),
    (
        "cgroups",
        bare(cgroup_version=None, cgroup_controllers=frozenset()),
        {},
        "the kernel has no cgroups, or none are mounted",
    ),
    (
        "cgroups",
        bare(cgroup_controllers=frozenset({"cpu", "cpuset", "io"})),
        {},
        "the controllers memory are missing",
    ),
    (
        "cgroups",
        bare(cgroup_controllers=frozenset({"cpu", "cpuset", "memory", "io"})),
        {"soa_engine": {"pids": 100}},
        "the controllers pids are missing",
    ),
    (
        "cgroups",
        bare(),
        version("19.03.15"),
        "the host has cgroup v2, which needs engine 20.10 or newer, wanted 19.03.15",
    ),
    (
        "cgroups",
        bare(
            cgroup_version=1,
            cgroup_controllers=V1,
            fitness=fit(mounted_controllers=V1 - {"freezer"}),
        ),
        {},
        "the controllers freezer are not mounted",
    ),
    (
        "overlay",
        bare(has_overlay=False, fitness=fit(features=NO_FEATURES)),
        {},
        "the kernel has no overlay file system",
    ),
    (
        "data-root",
        with_disks(root=disk("overlayfs")),
        {},
        "/var/lib/docker lies on overlayfs, on which overlay2 does not work",
    ),
    (
        "data-root",
        with_disks(root=disk("xfs", has_file_types=False)),
        {},
        "/var/lib/docker lies on xfs with ftype=0, on which overlay2 does not work",
    ),
    (
        "disk-data-root",
        with_disks(root=disk(free_gib=0.5)),
        {},
        "/var/lib/docker has 512 MiB free of 80.0 GiB, expected 1.0 GiB and 20000 inodes",
    ),
    (
        "disk-data-root",
        with_disks(root=disk(free_inodes=19)),
        {},
        "/var/lib/docker has 60.0 GiB free of 80.0 GiB, and 19 inodes, expected 1.0 GiB and 20000",
    ),
    (
        "disk-logs",
        with_disks(logs=disk(free_gib=0.05)),
        {},
        "/apps/logs/engine has 51 MiB free of 80.0 GiB, expected 100 MiB",
    ),
    ("memory", with_fitness(memory_kib=200 * 1024), {}, "200 MiB, expected 256 MiB at the least"),
    *(
        (name, with_fitness(features=NO_FEATURES), {}, f"the kernel has no {feature}, and no such")
        for name, feature in (
            ("bridge", "bridge"),
            ("veth", "veth"),
            ("nat", "nf_nat"),
            ("conntrack", "nf_conntrack"),
            ("addrtype", "xt_addrtype"),
        )
    ),
    (
        "ip-forward",
        fitted(fitness=fit(sysctls={"net.ipv4.ip_forward": "0"})),
        {},
        "0 under a running engine, which publishes the ports of soa_engine",
    ),
    (
        "conflicting-packages",
        with_fitness(conflicting=("docker (snap)",)),
        {},
        "docker (snap), which takes the engine's place",
    ),
    (
        "conflicting-packages",
        bare(packages={"podman-docker": "4.3.1"}),
        {},
        "podman-docker, which takes the engine's place",
    ),
    (
        "ports",
        bare(
            fitness=fit(
                listeners=(Listener(22, "sshd"), Listener(1080, "nginx"), Listener(2081, None))
            ),
        ),
        {},
        "taken: 1080 (soa_engine) by nginx, 2081 (proxy) by a process that the host does not name",
    ),
    (
        "ports",
        fitted(fitness=fit(listeners=(Listener(1080, "docker-proxy"),))),
        {},
        "taken: 1080 (soa_engine) by a container that is not Dockyard's (docker-proxy)",
    ),
    (
        "dns",
        with_fitness(source=Source("http://packages", None, False, False)),
        {},
        "http://packages does not resolve",
    ),
    (
        "dns",
        bare(),
        {"registry": {"server": None, "connection": "zk-1:2181,zk-2:2181"}},
        "no server of the registry resolves: zk-1, zk-2",
    ),
    (
        "package-source",
        with_fitness(source=Source("http://packages", "proxy:3128", True, False)),
        {},
        "http://packages (through proxy:3128) does not answer within 3 s",
    ),
    ("clock-skew", bare(clock_skew_s=-61.4), {}, "the clock is 61 s behind"),
    ("clock-skew", bare(clock_skew_s=7200.0), {}, "the clock is 7200 s ahead"),
]

WARNS = [
    (
        "end-of-life",
        bare(**{**EL7, "kernel": "3.10.0-1160.el7.x86_64"}),
        {},
        "centos 7 came to its end on 2024-06-30; the last engine packaged for it is 26.1.4",
    ),
    (
        "end-of-life",
        bare(os_id="ubuntu", os_version="18.04", fitness=fit(time_s=1_600_000_000.0)),
        {},
        "for ubuntu 18.04 engines up to 24.0.2 were packaged, wanted 29.3.0",
    ),
    (
        "namespaces",
        with_fitness(namespaces=frozenset()),
        {},
        "the host does not tell which namespaces its kernel has",
    ),
    (
        "cgroups",
        bare(cgroup_controllers=frozenset({"cpu", "cpuset", "memory"})),
        {},
        "the controllers pids, io are missing; their limits do nothing",
    ),
    ("seccomp", with_fitness(has_seccomp=False), {}, "the kernel has no seccomp"),
    (
        "keys-quota",
        with_fitness(sysctls={"kernel.keys.root_maxkeys": "200"}),
        version("1.11.2"),
        "root may have 200 keys, and engine 1.11.2 does not raise that",
    ),
    (
        "overlay",
        bare(has_overlay=False, fitness=fit(features={})),
        version("1.7.1"),
        "the kernel has no overlay file system; engine 1.7.1 does without",
    ),
    (
        "data-root",
        with_disks(root=disk("xfs")),
        {},
        "/var/lib/docker lies on xfs; xfs_info, which would tell its ftype, is not there",
    ),
    (
        "data-root",
        with_disks(root=disk("f2fs")),
        {},
        "/var/lib/docker lies on f2fs, of which nothing is known",
    ),
    (
        "data-root",
        with_fitness(disks={}),
        {},
        "the host does not tell what /var/lib/docker lies on",
    ),
    (
        "disk-data-root",
        with_disks(root=disk(free_gib=4)),
        {},
        "/var/lib/docker has 4.0 GiB free of 80.0 GiB, less than 5.0 GiB",
    ),
    (
        "disk-logs",
        with_disks(logs=disk(free_inodes=50_000)),
        {},
        "/apps/logs/engine has 60.0 GiB free of 80.0 GiB, and 50000 inodes, less than",
    ),
    (
        "memory",
        with_fitness(memory_kib=1 * GIB),
        {"soa_engine": {"memory_mb": 900}},
        "1.0 GiB, but the parts may take 900 MiB and the engine more",
    ),
    (
        "bridge",
        with_fitness(features={}),
        {},
        "the host does not tell whether its kernel has bridge",
    ),
    (
        "br-netfilter",
        with_fitness(features=NO_FEATURES),
        {},
        "the kernel has no br_netfilter, and no such module is installed",
    ),
    (
        "br-netfilter",
        with_fitness(
            features={"br_netfilter": "there"},
            sysctls={"net.bridge.bridge-nf-call-iptables": "0"},
        ),
        {},
        "net.bridge.bridge-nf-call-iptables is 0",
    ),
    (
        "ip-forward",
        fitted(fitness=fit(sysctls={"net.ipv4.ip_forward": "0"})),
        {"host_setup": {"sysctls": {"net.ipv4.ip_forward": 1}}},
        "0 under a running engine; the next deploy sets it",
    ),
    (
        "ip-forward",
        NOT_FORWARDING,
        config(ip_forward=False),
        "0, and docker_engine.config has ip-forward",
    ),
    ("ipv6", bare(), config(ipv6=True), "docker_engine.config has ipv6, but no interface has"),
    (
        "conflicting-packages",
        bare(packages={"docker-ce": "5:26.1.4"}),
        {},
        "docker-ce of another source than 'distro'",
    ),
    (
        "conflicting-packages",
        bare(packages={"docker.io": "20.10.24+dfsg1-1"}),
        FILES,
        "docker.io of another source than 'files'",
    ),
    (
        "conflicting-packages",
        bare(packages={"docker.io": "20.10.24+dfsg1-1"}),
        SCRIPT,
        "docker.io of another source than 'script'",
    ),
    (
        "tcp-socket",
        bare(daemon_json='{"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"]}'),
        {},
        "/etc/docker/daemon.json opens tcp://0.0.0.0:2375",
    ),
    (
        "tcp-socket",
        bare(daemon_json='{"hosts": [":2375", "TCP://[::]:2376"]}'),
        {},
        "/etc/docker/daemon.json opens :2375, TCP://[::]:2376",
    ),
    (
        "firewall",
        with_fitness(firewalls=frozenset({"ufw", "firewalld"})),
        {},
        "firewalld and ufw are active; it has to let in 2080, 2081",
    ),
    ("host-name", with_fitness(name_addresses=()), {}, "app-1 resolves to nothing"),
    (
        "host-name",
        with_fitness(name_addresses=("127.0.1.1", "::1")),
        {},
        "app-1 resolves to 127.0.1.1, ::1, where only the host itself is",
    ),
    (
        "host-name",
        with_fitness(name_addresses=("203.0.113.9",)),
        {},
        "app-1 resolves to 203.0.113.9, which is on no interface of the host",
    ),
    (
        "host-name",
        at_ipv6("2001:db8::1", called="2001:db8::9"),
        {},
        "app-1 resolves to 2001:db8::9, which is on no interface of the host",
    ),
    (
        "dns",
        bare(resolved={"zk-2": "198.18.0.32"}),
        {"registry": {"server": None, "connection": "zk-1:2181,zk-2:2181"}},
        "servers of the registry that do not resolve: zk-1",
    ),
    (
        "package-source",
        with_fitness(source=Source("http://packages", None, True, None)),
        {},
        "http://packages was not tried: the host has neither bash nor nc",
    ),
    (
        "package-source",
        with_fitness(source=Source("http://packages", None, False, False)),
        {},
        "http://packages was not tried: its name does not resolve",
    ),
    ("clock-skew", bare(clock_skew_s=6.0), {}, "the clock is 6 s ahead"),
    (
        "selinux",
        with_fitness(selinux="enforcing"),
        config(selinux_enabled=True),
        "enforcing in the engine too; containers write to /apps/logs/engine",
    ),
    (
        "apparmor",
        with_fitness(has_apparmor=True),
        {},
        "the kernel has it, but apparmor_parser is not installed",
    ),
]

ours = {"Name": "/engine", "Config": {"Labels": {"dockyard.part": "soa_engine"}}}
published = {"PortBindings": {"1080/tcp": [{"HostIp": "198.18.0.11", "HostPort": "1080"}]}}
hosted = {"Name": "/proxy", "Config": {"Labels": {"dockyard.part": "proxy"}}}

PASSES = [
    ("architecture", bare(architecture="aarch64"), {}, "aarch64"),
    ("architecture", bare(architecture="riscv64", os_version="13"), {}, "riscv64"),
    ("userland", bare(architecture="armv7l", userland_bits=32), {}, "32-bit programs"),
    ("kernel", bare(**OLD), version("1.7.1-1.el6"), "2.6.32-754.el6.x86_64, for engine 1.7.1"),
    ("kernel", bare(kernel="3.13.0-24"), version("17.03.2~ce-0~ubuntu"), "for engine 17.03.2"),
    ("kernel", bare(kernel="3.10.0-1160.el7.x86_64", **EL7), {}, "3.10.0-1160.el7.x86_64"),
    ("kernel", bare(kernel="3.16.0", docker_version="20.10.24+dfsg1"), {}, "for engine 20.10.24"),
    ("kernel", bare(kernel="4.0.0"), {}, "4.0.0"),
    ("kernel", bare(kernel="10.0.1-rc1"), {}, "10.0.1-rc1"),
    ("end-of-life", bare(), {}, "debian 12, until 2028-06-30"),
    ("end-of-life", bare(os_id="", os_version=""), {}, "a system without a name"),
    (
        "namespaces",
        bare(
            kernel="3.2.0",
            fitness=fit(
                namespaces=frozenset({"ipc", "net", "uts"}),
                options={"NAMESPACES": "y", "PID_NS": "y"},
            ),
        ),
        {},
        "mnt, pid, net, ipc, uts",
    ),
    ("namespaces", fitted(fitness=fit(namespaces=frozenset())), {}, "an engine runs"),
    (
        "user-namespace",
        with_fitness(sysctls={"user.max_user_namespaces": "0"}),
        {},
        "not there, and not needed",
    ),
    (
        "cgroups",
        bare(cgroup_version=1, cgroup_controllers=V1, fitness=fit(mounted_controllers=V1)),
        {},
        "v1",
    ),
    ("keys-quota", with_fitness(sysctls={"kernel.keys.root_maxkeys": "200"}), {}, "raises it"),
    ("overlay", bare(), {}, "loaded when the engine starts"),
    ("overlay", fitted(has_overlay=False, fitness=fit(features={})), {}, "uses overlay2"),
    ("data-root", with_disks(root=disk("xfs", has_file_types=True)), {}, "lies on xfs"),
    ("data-root", fitted(fitness=fit(disks={})), {}, "the engine uses overlay2"),
    ("disk-data-root", with_disks(root=disk(total_inodes=0, free_inodes=0)), {}, "60.0 GiB free"),
    ("bridge", fitted(fitness=fit(features={})), {}, "not told; an engine runs"),
    ("ip-forward", NOT_FORWARDING, {}, "0; the engine sets it when it starts"),
    (
        "ip-forward",
        fitted(fitness=fit(sysctls={"net.ipv4.ip_forward": "1"})),
        {},
        "1",
    ),
    ("ipv6", with_fitness(has_ipv6=True), config(ipv6=True), "there"),
    ("conflicting-packages", fitted(), {}, "none"),
    ("conflicting-packages", bare(packages={"docker-ce": "5:26.1.4"}), FILES, "none"),
    ("conflicting-packages", bare(packages={"docker-ce": "5:26.1.4"}), SCRIPT, "none"),
    ("conflicting-packages", bare(), FILES, "none"),
    ("conflicting-packages", fitted(), NO_ENGINE, "none"),
    ("conflicting-packages", fitted(), {"docker_engine": {"source": "present"}}, "none"),
    (
        "ports",
        fitted(
            fitness=fit(
                listeners=(
                    Listener(1080, "docker-proxy"),
                    Listener(2080, "haproxy"),
                    Listener(2081, None),
                )
            ),
            containers=(
                Container("engine", "engine:1", True, {**ours, "HostConfig": published}),
                Container("proxy", "proxy:1", True, hosted),
            ),
        ),
        {},
        "free, or our own",
    ),
    *(
        ("tcp-socket", bare(daemon_json=text), {}, "none")
        for text in (
            None,
            "",
            "{}",
            "not JSON",
            "[" * 60_000,
            '["tcp://0.0.0.0"]',
            '{"hosts": ["unix:///var/run/docker.sock", "fd://", ""]}',
            '{"hosts": null}',
            '{"hosts": "tcp://0.0.0.0:2375"}',
            '{"hosts": [2375, {}, null]}',
        )
    ),
    ("host-name", at_ipv6("2001:db8::1", called="2001:db8::1"), {}, "app-1 is 2001:db8::1"),
    ("host-name", at_ipv6("fe80::1", called="fe80::1%eth0"), {}, "app-1 is fe80::1%eth0"),
    ("package-source", with_fitness(source=Source("http://p", None, True, True)), {}, "http://p"),
    ("clock-skew", bare(clock_skew_s=None), {}, "not told"),
    ("clock-skew", bare(clock_skew_s=-4.9), {}, "in time"),
    ("selinux", with_fitness(selinux="enforcing"), {}, "enforcing, not in the engine"),
    ("apparmor", with_fitness(has_apparmor=True, has_apparmor_parser=True), {}, "enabled"),
]

BOUNDS: list[tuple[str, Observed, dict[str, Any], str]] = [
    (
        "keys-quota",
        with_fitness(sysctls={"kernel.keys.root_maxkeys": "10000"}),
        version("1.9"),
        "pass",
    ),
    (
        "keys-quota",
        with_fitness(sysctls={"kernel.keys.root_maxkeys": "9999"}),
        version("1.12"),
        "pass",
    ),
    (
        "keys-quota",
        with_fitness(sysctls={"kernel.keys.root_maxkeys": "9999"}),
        version("1.11"),
        "warn",
    ),
    ("keys-quota", with_fitness(sysctls={}), version("1.9"), "pass"),
    ("cgroups", bare(), version("20.10"), "pass"),
    ("overlay", bare(has_overlay=False, fitness=fit(features={})), version("23"), "fail"),
    ("namespaces", bare(kernel="3.8", fitness=fit(namespaces=frozenset({"net"}))), {}, "fail"),
    ("clock-skew", bare(clock_skew_s=5.0), {}, "pass"),
    ("clock-skew", bare(clock_skew_s=60.0), {}, "warn"),
    ("disk-data-root", with_disks(root=disk(free_gib=1)), {}, "warn"),
    ("disk-data-root", with_disks(root=disk(free_gib=5)), {}, "pass"),
    ("disk-data-root", with_disks(root=disk(free_inodes=20_000)), {}, "warn"),
    ("disk-data-root", with_disks(root=disk(free_inodes=100_000)), {}, "pass"),
    ("memory", with_fitness(memory_kib=256 * 1024), {}, "pass"),
    ("memory", with_fitness(memory_kib=1028 * 1024), {"soa_engine": {"memory_mb": 900}}, "pass"),
    ("memory", with_fitness(memory_kib=None), {}, "pass"),
    ("host-name", with_fitness(name=""), {}, "pass"),
    ("br-netfilter", with_fitness(features={"br_netfilter": "there"}), {}, "pass"),
    (
        "br-netfilter",
        with_fitness(
            features={"br_netfilter": "loadable"},
            sysctls={"net.bridge.bridge-nf-call-iptables": "0"},
        ),
        {},
        "pass",
    ),
    ("veth", with_fitness(features={"veth": "there"}), {}, "pass"),
    (
        "end-of-life",
        bare(os_version="11", fitness=fit(time_s=1_788_134_400.0 + 3600)),
        {},
        "pass",
    ),
    (
        "end-of-life",
        bare(os_version="11", fitness=fit(time_s=1_788_134_400.0 + 25 * 3600)),
        {},
        "warn",
    ),
]
"""The last value on either side. Debian 11 ends on 2026-08-31."""

Case = tuple[str, Observed, dict[str, Any], str]


def ids(cases: list[Any]) -> list[str]:
    return [f"{case[0]}: {case[3]:.50}" for case in cases]


@pytest.mark.parametrize("case", FAILS, ids=ids(FAILS))
def test_what_fails(case: Case) -> None:
    name, observed, wanted, found = case
    told = of(name, observed, **wanted)
    assert (told.verdict, told.found[: len(found)]) == ("fail", found)
    assert told.mend


@pytest.mark.parametrize("case", WARNS, ids=ids(WARNS))
def test_what_is_warned_of(case: Case) -> None:
    name, observed, wanted, found = case
    told = of(name, observed, **wanted)
    assert (told.verdict, told.found[: len(found)]) == ("warn", found)


@pytest.mark.parametrize("case", PASSES, ids=ids(PASSES))
def test_what_is_fit_too(case: Case) -> None:
    name, observed, wanted, found = case
    told = of(name, observed, **wanted)
    assert told.verdict == "pass"
    assert found in told.found


@pytest.mark.parametrize("case", BOUNDS, ids=[f"{case[0]}-{case[3]}" for case in BOUNDS])
def test_the_bounds(case: Case) -> None:
    name, observed, wanted, verdict = case
    assert of(name, observed, **wanted).verdict == verdict


def test_a_port_that_a_container_of_ours_does_not_publish_is_not_its_own() -> None:
    running = Container("engine", "engine:1", True, ours)
    observed = fitted(fitness=fit(listeners=(Listener(1080, None),)), containers=(running,))
    assert of("ports", observed).found.startswith("taken: 1080 (soa_engine)")


def test_missing_memory_control_is_mended_at_boot() -> None:
    without = bare(cgroup_controllers=frozenset({"cpu", "cpuset", "pids", "io"}))
    assert "cgroup_enable=memory" in of("cgroups", without).mend
    assert "cgroup_enable" not in of("cgroups", bare(cgroup_controllers=frozenset({"memory"}))).mend


def test_every_check_can_fail_or_warn() -> None:
    assert {case[0] for case in (*FAILS, *WARNS)} == set(CHECKS)


def test_a_port_of_a_container_of_ours_that_has_stopped_is_not_ours() -> None:
    stopped = Container("proxy", "proxy:1", False, hosted)
    observed = fitted(fitness=fit(listeners=(Listener(2080, None),)), containers=(stopped,))
    assert of("ports", observed).verdict == "fail"


def test_ports_are_not_judged_where_the_engine_does_not_tell_its_containers() -> None:
    """Those of live-restore run on without it, and hold the ports of our parts."""
    deployed = Releases(current_name="2026-01-31T10:15:30Z")
    for silent in ({"docker_error": "no daemon"}, {"docker_hangs": True}):
        taken = fit(listeners=(Listener(2080, None),))
        observed = fitted(fitness=taken, docker_version=None, **silent)
        assert of("ports", observed).verdict == "fail"
        told = of("ports", replace(observed, releases=deployed))
        assert told.found.startswith("not judged: the engine does not tell")


def test_the_newest_engine_for_an_old_kernel_and_the_rule_are_named() -> None:
    told = of("kernel", bare(**OLD))
    assert "as documented in" in told.found
    assert 'docker_engine.version = "1.7.1"' in told.mend
    assert "release 8 or newer" in told.mend
    assert of("kernel", bare(kernel="3.16")).mend.startswith("`apt-get install linux-image-amd64`")


def test_a_failure_that_is_accepted_is_a_warning_and_says_so() -> None:
    observed = bare(clock_skew_s=3600.0)
    told = of("clock-skew", observed, host_check={"accept": ["clock-skew"]})
    assert (told.verdict, told.accepted) == ("warn", True)
    other = of("clock-skew", observed, host_check={"accept": ["kernel"]})
    assert (other.verdict, other.accepted) == ("fail", False)
    only_warned = of("clock-skew", bare(clock_skew_s=6.0), host_check={"accept": ["clock-skew"]})
    assert (only_warned.verdict, only_warned.accepted) == ("warn", False)


def test_problems_of_a_run_are_the_failures_that_nobody_accepted() -> None:
    late = bare(clock_skew_s=3600.0)
    found = fleet(
        member("app-1", observed=late),
        member("app-2", observed=late, host_check={"accept": ["clock-skew"]}),
        member("app-3", observed=late),
    )
    assert [str(problem) for problem in check(found)] == [
        f"{name}: host_check.clock-skew: the clock is 3600 s ahead; "
        "`timedatectl set-ntp true`, or install chrony"
        for name in ("app-1", "app-3")
    ]
    assert warnings(found) == 1
    assert check(found, ALWAYS) == []
    assert warnings(found, ALWAYS) == 0


def test_a_host_outside_the_limit_ends_no_run_and_warns_of_nothing() -> None:
    unfit = bare(clock_skew_s=3600.0, fitness=fit(name_addresses=()))
    found = fleet(member("app-1"), member("app-2", observed=unfit, in_limit=False))
    assert check(found) == []
    assert warnings(found) == 0


@pytest.mark.parametrize("in_limit, names", [(True, ALWAYS), (False, CHECKS)])
def test_root_is_needed_always(in_limit: bool, names: Iterable[str]) -> None:
    poor = bare(user_id=1000, clock_skew_s=3600.0)
    found = fleet(member("app-1", observed=poor, in_limit=in_limit))
    assert [problem.key for problem in check(found, names)] == ["host_check.root"]


def test_what_a_host_says_stays_on_one_line_and_steers_nothing() -> None:
    hostile = (Listener(1080, "x\x1b[31m\napp-2: host_check.root: y"),)
    observed = bare(fitness=fit(listeners=hostile))
    (problem,) = check(fleet(member("app-1", observed=observed)))
    assert problem.text.isprintable()


def test_all_that_is_wrong_is_told() -> None:
    worst = bare(kernel="2.6.32", architecture="i686", init="runit", has_overlay=False)
    worst = replace(worst, fitness=fit(features=NO_FEATURES))
    keys = {
        problem.key.removeprefix("host_check.")
        for problem in check(fleet(member("app-1", observed=worst)))
    }
    assert keys >= {"kernel", "architecture", "init", "overlay", "bridge"}


def test_the_end_of_a_release_goes_by_the_hosts_clock_put_right() -> None:
    seven = {**EL7, "kernel": "3.10.0-1160.el7.x86_64"}
    wrong = bare(**seven, clock_skew_s=-NOW_S, fitness=fit(time_s=0.0))
    assert of("end-of-life", wrong).found.startswith("centos 7 came to its end")
    early = fit(time_s=1_700_000_000.0)
    assert "came to its end" not in of("end-of-life", bare(**seven, fitness=early)).found


@pytest.mark.parametrize(
    "wanted_version, installed, engine",
    [
        ("5:26.1.5-1~debian.12~bookworm", "20.10.24+dfsg1", "26.1.5"),
        (None, "20.10.24+dfsg1", "20.10.24"),
        ("latest", "20.10.24+dfsg1", "20.10.24"),
        ("latest", None, NEWEST),
        (None, None, NEWEST),
    ],
)
def test_the_engine_that_is_judged(
    wanted_version: str | None, installed: str | None, engine: str
) -> None:
    spec = {"version": wanted_version} if wanted_version else {}
    observed = bare(docker_version=installed)
    assert subject(member("app-1", observed=observed, docker_engine=spec)).engine == engine
