"""Every check's name, why it is made, and how to mend what it finds. A row's order is the report's.

docs/verify.md says the same at length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    why: str
    mend: str
    """What helps unless the check itself knows better."""
    can_be_accepted: bool = True


TEXTS: Mapping[str, Text] = {
    "root": Text(
        "only root reads all of this, and installs",
        "add --sudo, or `_sudo: True` to the host's data",
        can_be_accepted=False,
    ),
    "architecture": Text(
        "an engine has to exist for the processor",
        "install a 64-bit system (x86_64 or aarch64)",
    ),
    "userland": Text(
        "packages are made for the programs of a system, not for its kernel",
        "install a 64-bit system",
    ),
    "kernel": Text(
        "an engine refuses to start, or loses data, on a kernel that is older than it needs",
        "install a newer kernel, and reboot",
    ),
    "init": Text(
        "the engine is enabled, started and read through it",
        "install a system that boots with systemd or sysvinit",
    ),
    "end-of-life": Text(
        "nobody mends what is found in a release after its end",
        "upgrade the distribution",
    ),
    "namespaces": Text(
        "they are what a container is made of",
        "boot a kernel that is built with CONFIG_NAMESPACES and its kinds",
    ),
    "user-namespace": Text(
        "userns-remap needs it",
        "`sysctl -w user.max_user_namespaces=15000`, or take userns-remap out of "
        "docker_engine.config",
    ),
    "cgroups": Text(
        "the engine limits and counts what a container uses by them",
        "enable them at the kernel's boot",
    ),
    "seccomp": Text(
        "without it a container may make every system call",
        "boot a kernel that is built with CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER",
    ),
    "keys-quota": Text(
        "every container has a key ring of its own; past the quota none starts",
        "`sysctl -w kernel.keys.root_maxkeys=1000000`",
    ),
    "overlay": Text(
        "images are layers of an overlay file system",
        "load or install its module `overlay`",
    ),
    "data-root": Text(
        "overlay2 works on some file systems alone",
        'put a disk with ext4, or xfs made with `-n ftype=1`, there, or set "data-root" in '
        "docker_engine.config",
    ),
    "disk-data-root": Text(
        "a full disk stops every container that writes",
        "make room, grow the disk, or set data-root to a larger one",
    ),
    "disk-logs": Text(
        "logs that can't be written stop the parts that write them",
        "make room, or set the part's logs.host to a larger disk",
    ),
    "memory": Text(
        "the kernel kills what no longer fits",
        "give the host more memory, or lower the parts' memory_mb",
    ),
    "bridge": Text(
        "the engine's own network is a bridge",
        "install the kernel's module `bridge`",
    ),
    "veth": Text(
        "a container is tied to the bridge by a pair of virtual interfaces",
        "install the kernel's module `veth`",
    ),
    "nat": Text(
        "published ports and a container's way out are translated addresses",
        "install the kernel's modules `nf_nat` and `iptable_nat`",
    ),
    "conntrack": Text(
        "address translation remembers connections by it",
        "install the kernel's module `nf_conntrack`",
    ),
    "addrtype": Text(
        "the engine's rules tell the host's own addresses by it",
        "install the kernel's module `xt_addrtype`",
    ),
    "br-netfilter": Text(
        "without it, containers on one bridge pass the firewall by",
        "`modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1`",
    ),
    "ip-forward": Text(
        "a published port is reached through the host's forwarding alone",
        "`sysctl -w net.ipv4.ip_forward=1`, and look for what sets it to 0 in /etc/sysctl.d",
    ),
    "ipv6": Text(
        "an engine that is told to use IPv6 has nothing to publish on",
        'take "ipv6" out of docker_engine.config, or give the host an address of IPv6',
    ),
    "conflicting-packages": Text(
        "two engines, or a stand-in for one, share a name, a socket and a data directory",
        "remove them first, once nothing needs their containers",
    ),
    "ports": Text(
        "a port has one owner: the part's container would not start",
        "stop what listens there, or give the part another port",
    ),
    "tcp-socket": Text(
        "whoever reaches that port is root on the host",
        'take it out of "hosts" in /etc/docker/daemon.json, restart docker, and reach the engine '
        "through SSH (`docker -H ssh://HOST`)",
    ),
    "firewall": Text(
        "published ports pass it by, ports of parts on the host's network do not, and a reload may "
        "drop the engine's rules",
        "open the parts' ports that are on the host's network, and restart docker after a reload",
    ),
    "host-name": Text(
        "Java and ZooKeeper tell others what the host's own name resolves to",
        "let /etc/hosts, or the DNS, resolve it to the address that others reach",
    ),
    "dns": Text(
        "packages and the registry are found by name",
        "name a server that knows it in /etc/resolv.conf, or add the name to /etc/hosts",
    ),
    "package-source": Text(
        "the engine's packages come from there",
        "open the way, set docker_engine.proxy, or bring the packages: docker_engine.source = "
        '"files"',
    ),
    "clock-skew": Text(
        "certificates, package lists and sessions go by the time; logs can't be compared without",
        "`timedatectl set-ntp true`, or install chrony",
    ),
    "selinux": Text(
        "it keeps containers from host directories that are not labelled for them",
        "label the parts' directories: `chcon -Rt container_file_t DIRECTORY`",
    ),
    "apparmor": Text(
        "containers run unconfined where its profile can't be loaded",
        "install the package `apparmor`",
    ),
}
