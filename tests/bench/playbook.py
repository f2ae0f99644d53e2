"""Ansible, and what its playbook compares hosts with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import LabHost
from tests.lab.command import run
from tests.lab.reading import of_each

PROGRAM = Path(sys.executable).with_name("ansible-playbook")
"""In this project's environment: Molecule, of its development dependencies, brings Ansible."""
PLAYBOOK = Path(__file__).parent / "ansible" / "drift.yml"
NODES = Path(__file__).parent / "ansible" / "nodes.py"

PACKAGE = "dpkg-query -W -f '${db:Status-Abbrev}|${Version}' docker.io"
DIRECTORIES = "find /apps/logs /apps/data -mindepth 1 -maxdepth 1 -printf '%p %U %G %m\\n'"
IMAGES = "docker ps -q | xargs docker inspect --format '{{.Config.Image}} {{.Image}}' | sort -u"
FILES = ("/etc/sysctl.d/60-dockyard.conf", "/etc/systemd/journald.conf.d/60-dockyard.conf")
SYSCTLS = (
    "net/ipv4/ip_forward net/bridge/bridge-nf-call-iptables net/ipv4/tcp_migrate_req "
    "kernel/keys/root_maxkeys user/max_user_namespaces"
)
HOST = (
    "awk '/^MemAvailable/ { print $2 }' /proc/meminfo; "
    "df -m --output=avail /var/lib/docker /apps/logs | sort -n | sed -n '2p'; date +%s; "
    "uname -rm; cat /etc/os-release; cut -f 1,4 /proc/cgroups; grep overlay /proc/filesystems; "
    f"cd /proc/sys && cat {SYSCTLS}; ls /proc/self/ns; ss -Hltn | awk '{{ print $4 }}' | sort; "
    "dpkg-query -W -f '${db:Status-Abbrev}|${Package}\\n' | grep -E 'docker|containerd|runc'; "
    "cd /var/lib/dockyard && ls -A && cat drained releases/current pin.json 2>/dev/null; true"
)
"""The available memory in KiB, the least that is free in MiB and the time; then what is to stay."""
CONTAINER = (
    '{"name":{{json .Name}},"image":{{json .Image}},"running":{{json .State.Running}},'
    '"config":{{json .Config}},"host_config":{{json .HostConfig}}}'
)
CONTAINERS = f"docker ps -q | xargs docker inspect --format '{CONTAINER}'"

# What makes Ansible fast: all hosts at once, one kept connection to each, no file copied there to
# run a module, no facts.
SETTINGS = """\
[defaults]
forks = {forks}
gathering = explicit
interpreter_python = /usr/bin/python3
[connection]
pipelining = true
[ssh_connection]
control_path_dir = {sockets}
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={known_hosts}
"""


@dataclass(frozen=True)
class Playbook:
    """The playbook for these hosts, as they are now: that is what is wanted of them."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, hosts: Sequence[LabHost]) -> Playbook:
        """Write settings and inventory; the hosts get the Python that Ansible needs there."""
        of_each(hosts, _give_python)
        sockets = directory / "s"
        sockets.mkdir(parents=True)
        known = hosts[0].known_hosts
        settings = SETTINGS.format(forks=len(hosts), sockets=sockets, known_hosts=known)
        (directory / "ansible.cfg").write_text(settings)
        (directory / "hosts.json").write_text(json.dumps(_inventory(hosts), indent=1))
        return cls(directory)

    @property
    def argv(self) -> list[str]:
        inventory = str(self.directory / "hosts.json")
        return [str(PROGRAM), "--check", "--inventory", inventory, str(PLAYBOOK)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg")}


def _give_python(host: LabHost) -> None:
    install = "apt-get -q update && apt-get -qy install --no-install-recommends python3"
    host.run(f"command -v python3 >/dev/null || {{ {install}; }}", timeout_s=600)


def _inventory(hosts: Sequence[LabHost]) -> dict[str, Any]:
    (registry,) = (host for host in hosts if "registry" in host.groups)
    engines = sum("engine" in host.groups for host in hosts)
    wanted = of_each(hosts, lambda host: _state(host, registry, engines))
    fleet = {
        host.name: {
            "ansible_host": host.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(host.private_key),
            "wanted": wanted[host.name],
        }
        for host in hosts
    }
    command = [sys.executable, str(NODES), registry.address]
    nodes = json.loads(run(command).stdout)
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    control = {"control": {**local, "nodes_command": command, "wanted_nodes": nodes}}
    return {"fleet": {"hosts": fleet}, "control_machine": {"hosts": control}}


def _state(host: LabHost, registry: LabHost, engines: int) -> dict[str, Any]:
    """What the playbook's variable `wanted` says of a host."""
    directories = [line.split() for line in host.run(DIRECTORIES).stdout.splitlines()]
    containers = [json.loads(line) for line in host.run(CONTAINERS).stdout.splitlines()]
    return {
        "package": host.run(PACKAGE).stdout,
        "daemon_json": host.run("cat /etc/docker/daemon.json").stdout,
        "files": {path: host.run(f"cat {path}").stdout for path in FILES},
        "host_command": HOST,
        "host": host.run(HOST).stdout.splitlines()[3:],
        "directories": [
            {"path": path, "owner": owner, "group": group, "mode": mode.zfill(4)}
            for path, owner, group, mode in directories
        ],
        "images": dict(line.split() for line in host.run(IMAGES).stdout.splitlines()),
        "containers": {found["name"].lstrip("/"): found for found in containers},
        "address": host.address,
        "towards": registry.address if host is not registry else host.network.gateway,
        "engines_up": engines if "proxy" in host.groups else 0,
    }
