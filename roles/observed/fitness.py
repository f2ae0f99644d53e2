"""What makes a host fit for containers, as the probe read it. What is not told is None or empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["there", "loadable", "absent", "unknown"]
"""Of a part of the kernel. `loadable`: its module is installed, and loaded where it is needed."""


@dataclass(frozen=True)
class Feature:
    """A part of the kernel: its modules, by their new and old names, and its build options."""

    modules: tuple[str, ...]
    options: tuple[str, ...]


FEATURES: Mapping[str, Feature] = {
    "overlay": Feature(("overlay",), ("OVERLAY_FS",)),
    "bridge": Feature(("bridge",), ("BRIDGE",)),
    "veth": Feature(("veth",), ("VETH",)),
    "br_netfilter": Feature(("br_netfilter",), ("BRIDGE_NETFILTER",)),
    "nf_nat": Feature(("nf_nat", "iptable_nat"), ("NF_NAT", "NF_NAT_IPV4", "IP_NF_NAT")),
    "nf_conntrack": Feature(("nf_conntrack",), ("NF_CONNTRACK",)),
    "xt_addrtype": Feature(("xt_addrtype", "ipt_addrtype"), ("NETFILTER_XT_MATCH_ADDRTYPE",)),
}


@dataclass(frozen=True)
class Disk:
    """What a path lies on. `place` is the path, or its nearest parent that exists."""

    place: str
    kind: str
    """The file system, as `stat -f` names it; ext4 is `ext2/ext3`."""
    total_kib: int
    free_kib: int
    total_inodes: int
    """0 where the file system has no fixed number of them."""
    free_inodes: int
    has_file_types: bool | None = None
    """Of xfs: whether directories tell the type of what is in them (`ftype=1`)."""


@dataclass(frozen=True)
class Listener:
    port: int
    process: str | None


@dataclass(frozen=True)
class Source:
    """Where packages come from, and whether the host reaches that, or the proxy towards it."""

    place: str
    proxy: str | None
    resolves: bool
    connects: bool | None
    """None where the host has no program to try with."""


@dataclass(frozen=True)
class Fitness:
    time_s: float | None = None
    """The host's clock, in seconds since 1970."""
    namespaces: frozenset[str] = frozenset()
    features: Mapping[str, State] = field(default_factory=dict)
    """By the names of FEATURES."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The kernel's build options that were looked for, without `CONFIG_`; empty where untold."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    has_seccomp: bool | None = None
    mounted_controllers: frozenset[str] = frozenset()
    """Of cgroup v1; under v2 there is one hierarchy."""
    memory_kib: int | None = None
    available_kib: int | None = None
    name: str = ""
    name_addresses: tuple[str, ...] = ()
    """What the host's own name resolves to."""
    has_ipv6: bool = False
    """Whether it has an address of IPv6 that other hosts reach."""
    selinux: Literal["enforcing", "permissive"] | None = None
    has_apparmor: bool = False
    has_apparmor_parser: bool = False
    firewalls: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    conflicting: tuple[str, ...] = ()
    """Packages that take the engine's place."""
    disks: Mapping[str, Disk] = field(default_factory=dict)
    """By the path that was asked for."""
    source: Source | None = None


def fitness(sections: Mapping[str, list[str]]) -> Fitness:
    """Read the probe's sections on fitness.

    Raises:
        ValueError, IndexError, KeyError: a section is not what it should be.
    """
    told = [line.partition("=") for line in sections.get("fitness", [])]
    of = {key: value.strip() for key, _, value in told}
    memory = dict(word.split(":") for word in of.get("memory", "").split())
    options = dict(_options(sections.get("kernel_config", [])))
    free = memory.get("MemAvailable") or memory.get("MemFree")
    return Fitness(
        time_s=_seconds(of.get("time", "")),
        namespaces=frozenset(of.get("namespaces", "").split()) - {"*"},
        features=_features(sections.get("features", []), options) if told else {},
        options=options,
        sysctls={k.removeprefix("sysctl."): v for k, v in of.items() if k.startswith("sysctl.")},
        has_seccomp=_has_seccomp(of, options) if told else None,
        mounted_controllers=frozenset(of.get("mounted", "").split()),
        memory_kib=int(memory["MemTotal"]) if "MemTotal" in memory else None,
        available_kib=int(free) if free else None,
        name=of.get("name", ""),
        name_addresses=tuple(dict.fromkeys(of.get("addresses", "").split())),
        has_ipv6=bool(of.get("ipv6")),
        selinux=_SELINUX.get(of.get("selinux", "")),
        has_apparmor=of.get("apparmor") == "Y",
        has_apparmor_parser=bool(of.get("apparmor_parser")),
        firewalls=frozenset(value for key, _, value in told if key == "firewall"),
        listeners=tuple(_listeners(sections.get("listeners", []))),
        conflicting=tuple(line.partition("=")[2] for line in sections.get("conflicting", [])),
        disks=dict(_disks(sections.get("disks", []))),
        source=_source(sections.get("source", [])),
    )


_SELINUX: Mapping[str, Literal["enforcing", "permissive"]] = {"1": "enforcing", "0": "permissive"}


def _seconds(text: str) -> float | None:
    """Not every `date` knows `%N`."""
    match = re.match(r"\d+(\.\d+)?", text)
    return float(match[0]) if match else None


def _has_seccomp(told: Mapping[str, str], options: Mapping[str, str]) -> bool:
    return told.get("seccomp") == "yes" or "SECCOMP" in options


def _options(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.removeprefix("CONFIG_").partition("=")
        yield name, value


def _features(lines: Iterable[str], options: Mapping[str, str]) -> dict[str, State]:
    evidence = {line.strip() for line in lines}
    return {name: _state(name, evidence, options) for name in FEATURES}


def _state(name: str, evidence: set[str], options: Mapping[str, str]) -> State:
    """What runs is there; what is not seen is absent only where that can be told."""
    feature = FEATURES[name]
    modules = (name, *feature.modules)
    if any(f"seen={module}" in evidence for module in modules):
        return "there"
    if any(options.get(option) == "y" for option in feature.options):
        return "there"
    if any(f"loadable={module}" in evidence for module in modules):
        return "loadable"
    return "absent" if options or "modules=yes" in evidence else "unknown"


def _listeners(lines: Iterable[str]) -> Iterator[Listener]:
    for line in lines:
        words = line.split()
        name = re.search(r'users:\(\("(.*?)",(?:pid=)?\d', line)
        port = words[3].rpartition(":")[2]
        yield Listener(int(port), name[1] if name else None)


def _disks(lines: Iterable[str]) -> Iterator[tuple[str, Disk]]:
    for line in lines:
        _, path, place, ftype, told = line.split("|", 4)
        numbers, _, kind = told.partition("|")
        block, blocks, free, inodes, free_inodes = _five(numbers)
        yield (
            path,
            Disk(
                place,
                kind,
                total_kib=blocks * block // 1024,
                free_kib=free * block // 1024,
                total_inodes=inodes,
                free_inodes=free_inodes,
                has_file_types={"1": True, "0": False}.get(ftype),
            ),
        )


def _five(text: str) -> list[int]:
    """Five numbers; all 0 where they are not told."""
    words = text.split()
    is_told = len(words) == 5 and all(word.isdecimal() for word in words)
    return [int(word) for word in words] if is_told else [0] * 5


def _source(lines: Iterable[str]) -> Source | None:
    told = {key: value.strip() for key, _, value in (line.partition("=") for line in lines)}
    if not told.get("place"):
        return None
    return Source(
        place=told["place"],
        proxy=told.get("proxy") or None,
        resolves=bool(told.get("resolves")),
        connects={"yes": True, "no": False}.get(told.get("connects", "")),
    )
