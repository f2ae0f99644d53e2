"""Whether a host is fit: every check, in the order of the report. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from roles.host_check import kernel, network, system
from roles.host_check.finding import Check, Finding, Subject, one_line
from roles.host_check.texts import TEXTS
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

CHECKS: Mapping[str, Check] = {
    "root": system.root,
    "architecture": kernel.architecture,
    "userland": kernel.userland,
    "kernel": kernel.kernel,
    "init": kernel.init,
    "end-of-life": kernel.end_of_life,
    "namespaces": kernel.namespaces,
    "user-namespace": kernel.user_namespace,
    "cgroups": kernel.cgroups,
    "seccomp": kernel.seccomp,
    "keys-quota": kernel.keys_quota,
    "overlay": system.overlay,
    "data-root": system.data_root,
    "disk-data-root": system.disk_data_root,
    "disk-logs": system.disk_logs,
    "memory": system.memory,
    "bridge": network.feature("bridge"),
    "veth": network.feature("veth"),
    "nat": network.feature("nf_nat"),
    "conntrack": network.feature("nf_conntrack"),
    "addrtype": network.feature("xt_addrtype"),
    "br-netfilter": network.br_netfilter,
    "ip-forward": network.ip_forward,
    "ipv6": network.ipv6,
    "conflicting-packages": system.conflicting_packages,
    "ports": network.ports,
    "tcp-socket": network.tcp_socket,
    "firewall": network.firewall,
    "host-name": network.host_name,
    "dns": network.dns,
    "package-source": network.package_source,
    "clock-skew": system.clock_skew,
    "selinux": system.selinux,
    "apparmor": system.apparmor,
}

ALWAYS = ("root",)
"""What is needed of hosts that are only read, too: without root the probe sees less."""


def findings(host: Subject, names: Iterable[str] = CHECKS) -> list[Finding]:
    """What the checks say of a host."""
    return [_finding(host, name) for name in names]


def subject(member: Member) -> Subject:
    return Subject(member.name, member.wanted, member.observed, member.parts)


def check(fleet: Fleet, names: Iterable[str] = CHECKS) -> list[Problem]:
    """The failures that nobody has accepted; of hosts that are left alone, or leave, `ALWAYS`."""
    return [
        Problem(found.host, f"host_check.{found.check}", f"{found.found}; {found.mend}")
        for found in _judged(fleet, names)
        if found.verdict == "fail"
    ]


def warnings(fleet: Fleet, names: Iterable[str] = CHECKS) -> int:
    """How many warnings there are of those hosts."""
    return sum(found.verdict == "warn" for found in _judged(fleet, names))


def _judged(fleet: Fleet, names: Iterable[str]) -> Iterator[Finding]:
    for member in fleet:
        is_judged = member.in_limit and not member.is_leaving
        yield from findings(subject(member), names if is_judged else ALWAYS)


def _finding(host: Subject, name: str) -> Finding:
    judged, text = CHECKS[name](host), TEXTS[name]
    accepted = judged.verdict == "fail" and name in host.wanted.host_check.accept
    return Finding(
        host=host.name,
        check=name,
        verdict="warn" if accepted else judged.verdict,
        found=one_line(judged.found),
        why=text.why,
        mend=judged.mend or text.mend,
        accepted=accepted,
    )
