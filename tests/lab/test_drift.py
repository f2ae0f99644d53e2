"""What somebody does to hosts by hand is found, exactly that; and nothing on an untouched fleet."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.by_hand import Edit, remake
from tests.lab.conftest import Fleet
from tests.lab.control import let_read, let_read_no_more
from tests.lab.load import load
from tests.lab.reading import (
    ENGINES,
    disk,
    four_letters,
    of_each,
    registry,
    up,
    wait_until,
)
from tests.lab.running import Listed
from tests.lab.test_failures import RATE_PER_S
from tests.lab.test_proof import serves

ENGINE, PROXY, SDK, SERVER = "sayhello-service-engine", "osp-proxy", "osp-sdk", "zookeeper"
IN_SYNC, WRONG, DRIFT, NOT_CHECKED = 0, 1, 2, 3
HAND = "by hand"

Told = tuple[str | None, str, str, str]
"""Host, role, path and kind."""


@dataclass(frozen=True)
class Checked:
    exit_code: int
    told: dict[str, Any]
    stderr: str

    @property
    def found(self) -> set[Told]:
        """What is drift."""
        return {of(one) for one in self.told["findings"] if one["kind"] != "unmanaged"}

    @property
    def unmanaged(self) -> set[tuple[str | None, str]]:
        listed = [one for one in self.told["findings"] if one["kind"] == "unmanaged"]
        return {(one["host"], one["path"]) for one in listed}

    def of(self, path: str) -> dict[str, Any]:
        [one] = [one for one in self.told["findings"] if one["path"] == path]
        return dict(one)


def of(finding: dict[str, Any]) -> Told:
    return finding["host"], finding["role"], finding["path"], finding["kind"]


def drift(fleet: Fleet, *options: str) -> Checked:
    run = fleet.checkout.dockyard("drift", fleet.inventory, "--format", "json", *options)
    told = json.loads(run.stdout) if run.stdout.startswith("{") else {}
    return Checked(run.returncode, told, run.stderr)


@pytest.fixture(scope="module")
def synced(steady: Fleet) -> Fleet:
    """The fleet as today's data wants it."""
    back = steady.deploy()
    assert back.exit_code == 0, back.output
    found = drift(steady)
    assert (found.exit_code, found.found) == (IN_SYNC, set()), found.told
    return steady


# What Docker calls a container's field, changed by hand; and what Dockyard calls it.


def env(name: str, value: str | None) -> Edit:
    def edit(made: dict[str, Any]) -> None:
        made["Env"] = [line for line in made["Env"] if not line.startswith(f"{name}=")]
        made["Env"] += [f"{name}={value}"] if value is not None else []

    return edit


def config(key: str, value: Any) -> Edit:
    return lambda made: made.__setitem__(key, value)


def host_config(key: str, value: Any) -> Edit:
    return lambda made: made["HostConfig"].__setitem__(key, value)


def label(name: str, value: str) -> Edit:
    return lambda made: made["Labels"].__setitem__(name, value)


def log_option(name: str, value: str) -> Edit:
    return lambda made: made["HostConfig"]["LogConfig"]["Config"].__setitem__(name, value)


SYSCTLS = "/etc/sysctl.d/60-dockyard.conf"

HARMLESS: dict[str, Edit] = {
    "environment.ADDED": env("ADDED", "1"),
    "labels.team": label("team", "ops"),
    "pids": host_config("PidsLimit", 300),
    "cpus": host_config("NanoCpus", 900_000_000),
    "restart": host_config("RestartPolicy", {"Name": "always", "MaximumRetryCount": 0}),
    "tmpfs./scratch": host_config("Tmpfs", {"/scratch": "size=1m"}),
    "cap_add": host_config("CapAdd", ["NET_ADMIN"]),
    "cap_drop": host_config("CapDrop", ["NET_RAW"]),
    "no_new_privileges": host_config("SecurityOpt", None),
    "log_options.max-size": log_option("max-size", "5m"),
    "stop_timeout_s": config("StopTimeout", 9),
    "health": config("Healthcheck", {"Test": ["CMD", "true"], "Interval": 10**9}),
    "options.cpu-shares": host_config("CpuShares", 512),
    "options.cpuset-cpus": host_config("CpusetCpus", "0"),
    "options.memory-reservation": host_config("MemoryReservation", 32 << 20),
    "options.add-host": host_config("ExtraHosts", ["nobody.example:198.18.255.9"]),
    "options.group-add": host_config("GroupAdd", ["7"]),
    "options.oom-score-adj": host_config("OomScoreAdj", 100),
}
"""A part that was changed so serves on."""

OF_THE_CALLER: dict[str, Edit] = {
    **HARMLESS,
    "environment.VIP_CFGCENTER_ZK_CONNECTION": env("VIP_CFGCENTER_ZK_CONNECTION", None),
    "command": config("Cmd", ["sleep", "999"]),
    "entrypoint": config("Entrypoint", ["/usr/bin/env"]),
    "user": config("User", "10081:10081"),
    "privileged": host_config("Privileged", True),
    "read_only": host_config("ReadonlyRootfs", False),
    "log_driver": lambda made: made["HostConfig"]["LogConfig"].__setitem__("Type", "local"),
    "log_options.max-file": log_option("max-file", "4"),
    "memory_mb": host_config("Memory", 100 << 20),
    "memory_swap_mb": host_config("MemorySwap", 300 << 20),
    "options.security-opt": host_config("SecurityOpt", ["seccomp=unconfined"]),
    "options.pid": host_config("PidMode", "host"),
    "options.ipc": host_config("IpcMode", "host"),
    "options.dns": host_config("Dns", ["198.18.255.9"]),
    "options.workdir": config("WorkingDir", "/tmp"),
    "options.stop-signal": config("StopSignal", "SIGINT"),
    "options.tty": config("Tty", True),
    "tmpfs./mounted": host_config("Mounts", [{"Type": "tmpfs", "Target": "/mounted"}]),
}
"""The caller does nothing of itself, so that it can be changed at will."""


def by_itself(changes: dict[str, Edit]) -> Edit:
    """All of them, in the order in which they stand."""

    def edit(made: dict[str, Any]) -> None:
        for change in changes.values():
            change(made)

    return edit


@pytest.fixture
def mended(synced: Fleet) -> Iterator[Fleet]:
    """What a test has done to the fleet by hand is mended by `--fix`."""
    yield synced
    assert drift(synced, "--fix", "-y").exit_code == IN_SYNC


def expected(host: LabHost, role: str, container: str, fields: dict[str, Edit]) -> set[Told]:
    return {(host.name, role, f"{container}.{field}", HAND) for field in fields}


@pytest.mark.full
def test_every_field_that_was_changed_by_hand_is_named(mended: Fleet) -> None:
    app, other = mended.apps[:2]
    caller = mended.registry
    remake(caller, SDK, by_itself(OF_THE_CALLER))
    remake(app, ENGINE, by_itself(HARMLESS))
    remake(other, PROXY, by_itself(HARMLESS))
    checked = drift(mended)
    assert checked.exit_code == DRIFT
    wanted = expected(app, "soa_engine", ENGINE, HARMLESS)
    wanted |= expected(other, "proxy", PROXY, HARMLESS)
    wanted |= expected(caller, "sdk", SDK, OF_THE_CALLER)
    assert checked.found == wanted
    pids = checked.of(f"{ENGINE}.pids")
    assert (pids["wanted"], pids["found"], pids["interrupts"]) == ("256", "300", True)


Deed = Callable[[Fleet], set[Told]]
"""Does something to hosts by hand, and says what is to be found."""


Where = Callable[[Fleet], LabHost]


def app(number: int) -> Where:
    return lambda fleet: fleet.apps[number]


def server(fleet: Fleet) -> LabHost:
    return fleet.registry


def by_command(where: Where, command: str, role: str, path: str, kind: str = "differs") -> Deed:
    def deed(fleet: Fleet) -> set[Told]:
        host = where(fleet)
        host.run(command)
        return {(host.name, role, path, kind)}

    return deed


def other_image(fleet: Fleet) -> set[Told]:
    host = fleet.apps[2]
    tag = host.run(f"docker inspect --format {{{{.Config.Image}}}} {PROXY}").stdout.strip()
    host.run(f"printf 'FROM {tag}\\nENV LATER=1' | docker build -qt {tag} -")
    return {(host.name, "images", f"image {tag}", "differs")}


def foreign_node(fleet: Fleet) -> set[Told]:
    with registry(fleet.registry) as client:
        client.create(f"{ENGINES}/198.18.255.9:1080")
    return {(None, "soa_engine", f"{ENGINES}/198.18.255.9:1080", "foreign")}


def stale_node(fleet: Fleet) -> set[Told]:
    host = fleet.apps[1]
    with registry(fleet.registry) as client:
        client.create(f"{ENGINES}/{host.address}:1999")
    return {(host.name, "soa_engine", f"{ENGINES}/{host.address}:1999", "stale")}


TOGETHER: list[Deed] = [
    by_command(
        app(0),
        'sed -i \'s/"live-restore": true/"live-restore": false/\' /etc/docker/daemon.json',
        "docker_engine",
        "/etc/docker/daemon.json live-restore",
    ),
    by_command(app(1), "apt-mark unhold docker.io", "docker_engine", "package docker.io"),
    by_command(
        app(2),
        "systemctl disable docker.service docker.socket",
        "docker_engine",
        "docker.service",
    ),
    by_command(app(0), f"chown 0:0 /apps/logs/{PROXY}", "proxy", f"/apps/logs/{PROXY}"),
    by_command(app(1), f"chmod 777 /apps/logs/{ENGINE}", "soa_engine", f"/apps/logs/{ENGINE}"),
    by_command(app(2), f"chmod 666 {SYSCTLS}", "host_setup", SYSCTLS),
    by_command(server, "systemctl mask docker.service", "docker_engine", "docker.service"),
    by_command(app(1), "echo what >/var/lib/dockyard/releases/current", "release", "record"),
    other_image,
    by_command(
        server, f"docker update --pids-limit 600 {SERVER}", "registry", f"{SERVER}.pids", HAND
    ),
    foreign_node,
    stale_node,
]


def forget_nodes(fleet: Fleet) -> None:
    with registry(fleet.registry) as client:
        for name in client.get_children(ENGINES):
            if name not in fleet.engines:
                client.delete(f"{ENGINES}/{name}")


def test_what_was_done_to_hosts_is_named_and_nothing_else(synced: Fleet) -> None:
    for name, label in (("extra", "mine"), ("twin", "dockyard.part=soa_engine")):
        synced.apps[0].run(
            f"docker run -d --name {name} --label {label} debian:bookworm-slim sleep 9999"
        )
    wanted = set().union(*(deed(synced) for deed in TOGETHER))
    before = of_each(synced.hosts, disk)
    checked = drift(synced)
    assert (checked.exit_code, checked.found) == (DRIFT, wanted)
    assert checked.unmanaged == {(synced.apps[0].name, name) for name in ("extra", "twin")}
    assert of_each(synced.hosts, disk) == before
    forget_nodes(synced)
    synced.apps[0].run("docker rm -f extra twin")
    fixed = drift(synced, "--fix", "-y")
    assert (fixed.exit_code, fixed.found) == (IN_SYNC, set())


@pytest.mark.full
@pytest.mark.parametrize("how", ["stop", "pause", "rm -f"])
def test_a_container_that_does_not_run(mended: Fleet, how: str) -> None:
    host = mended.apps[0]
    host.run(f"docker {how} {ENGINE}")
    checked = drift(mended)
    assert checked.exit_code == DRIFT
    assert (host.name, "soa_engine", ENGINE, HAND) in checked.found
    assert {one[0] for one in checked.found if one[1] == "soa_engine"} == {host.name}


def state_of(checked: Checked, host: LabHost) -> tuple[str, str]:
    [found] = [one for one in checked.told["hosts"] if one["name"] == host.name]
    return found["state"], found["why"]


def test_an_engine_that_hangs_and_one_that_is_stopped(mended: Fleet) -> None:
    """Their containers run on, and nobody can tell which they are: nothing is said of them."""
    hung, stopped = mended.apps[:2]
    hung.run("kill -STOP $(pidof dockerd)")
    stopped.run("systemctl stop docker.socket docker.service")
    checked = drift(mended)
    hung.run("kill -CONT $(pidof dockerd)")
    assert checked.exit_code == DRIFT
    assert checked.found == {(stopped.name, "docker_engine", "docker.service", "differs")}
    assert state_of(checked, hung) == (
        "not checked",
        "its Docker engine hangs: it did not answer in time",
    )


ODD = {
    "garbage": "head -c 20000 /dev/urandom",
    "half": 'sh "$@" | head -c 3000',
    "greeting": 'echo "Welcome, traveller"; exec sh "$@"',
    "asleep": "exec sleep 300",
}
"""What answers a login instead of a shell."""


def odd(host: LabHost, what: str) -> None:
    """Give a host an account with root's rights and keys, and such a shell."""
    script = f"#!/bin/sh\n{ODD[what]}\n"
    host.feed(script.encode(), f"install -m 755 /dev/stdin /usr/local/bin/{what}")
    host.run(f"useradd -o -u 0 -m -s /usr/local/bin/{what} {what} && cp -r /root/.ssh /home/{what}")


def test_what_odd_hosts_say_is_no_finding(mended: Fleet) -> None:
    entries = [Listed(mended.registry)]
    for host, what in zip(mended.apps, ODD, strict=False):
        odd(host, what)
        entries.append(Listed(host, {"ssh_user": what}))
    listed = mended.checkout.inventory(entries, base_image=mended.lab.base_image())
    checked = drift(replace(mended, inventory=listed))
    for host, what in zip(mended.apps, ODD, strict=False):
        host.run(f"userdel -f {what}; rm -r /home/{what} /usr/local/bin/{what}")
    garbage, half, greeting = mended.apps
    assert (checked.exit_code, checked.found) == (NOT_CHECKED, set()), checked.stderr
    for host in (garbage, half):
        state, why = state_of(checked, host)
        assert (state, "ended early" in why) == ("not checked", True), why
    assert state_of(checked, greeting)[0] == "in sync"


def test_a_host_with_another_key_is_sent_nothing(synced: Fleet, tmp_path: Path) -> None:
    other = synced.apps[0]
    known = other.known_hosts.read_text().splitlines()
    mine, place = (f"{host.address},{host.name} " for host in synced.apps[:2])
    theirs = next(line.removeprefix(place) for line in known if line.startswith(place))
    wrong = [line for line in known if not line.startswith(mine)]
    (tmp_path / "known").write_text("\n".join([*wrong, f"{other.address} {theirs}"]) + "\n")
    login = ("--data", "ssh_user=stranger")
    checked = drift(synced, "--data", f"ssh_known_hosts_file={tmp_path / 'known'}", *login)
    assert (checked.exit_code, checked.found) == (NOT_CHECKED, set()), checked.stderr
    state, why = state_of(checked, other)
    assert (state, "host key" in why.lower()) == ("not checked", True), why
    tried = "journalctl --boot --quiet | grep -q 'Invalid user stranger'"
    wait_until(lambda: synced.apps[1].run(tried, check=False).returncode == 0, "it was tried there")
    assert other.run(tried, check=False).returncode == 1


def test_where_no_host_can_be_reached_each_is_named(synced: Fleet) -> None:
    checked = drift(synced, "--data", "ssh_port=1")
    assert (checked.exit_code, checked.found) == (NOT_CHECKED, set()), checked.stderr
    assert {one["name"]: one["state"] for one in checked.told["hosts"]} == {
        host.name: "not checked" for host in synced.hosts
    }


def test_what_a_container_says_of_itself_steers_no_terminal(mended: Fleet) -> None:
    host = mended.apps[0]
    remake(host, SDK if "sdk" in host.groups else PROXY, label("a\x1b]0;b", "\x1b[2J\x1b[31m"))
    table = mended.checkout.dockyard("drift", mended.inventory)
    assert table.returncode == DRIFT
    assert "labels.a" in table.stdout and "\x1b" not in table.stdout


@pytest.mark.full
def test_a_host_that_hangs_after_the_login(mended: Fleet) -> None:
    host = mended.apps[0]
    odd(host, "asleep")
    entries = [Listed(h, {"ssh_user": "asleep"} if h == host else {}) for h in mended.hosts]
    listed = mended.checkout.inventory(entries, base_image=mended.lab.base_image())
    checked = drift(replace(mended, inventory=listed))
    host.run("pkill -f '^sleep 300'; userdel -f asleep; rm -r /home/asleep /usr/local/bin/asleep")
    assert (checked.exit_code, checked.found) == (NOT_CHECKED, set()), checked.stderr
    assert "did not end within" in state_of(checked, host)[1]


@pytest.mark.full
def test_a_host_that_is_switched_off(synced: Fleet) -> None:
    host = synced.apps[2]
    host.stop()
    checked = drift(synced)
    host.boot()
    assert (checked.exit_code, checked.found) == (NOT_CHECKED, set())
    state, why = state_of(checked, host)
    assert (state, why.partition(": ")[0]) == ("not checked", "can't be reached")
    assert {one["state"] for one in checked.told["hosts"]} == {"in sync", "not checked"}
    wait_until(lambda: drift(synced).exit_code == IN_SYNC, "it is in sync again", timeout_s=60)


@pytest.mark.full
def test_a_key_that_may_only_read(synced: Fleet, tmp_path: Path) -> None:
    """As docs/drift.md has it, on every host."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for host in synced.hosts:
        let_read(host, synced.checkout.directory, key.with_suffix(".pub").read_text())
    login = ("--data", "ssh_user=dockyard-drift", "--data", f"ssh_key={key}")
    checked = drift(synced, *login)
    assert (checked.exit_code, checked.found) == (IN_SYNC, set()), checked.stderr

    ssh = ["ssh", "-F", "/dev/null", "-i", str(key), "-o", "IdentitiesOnly=yes"]
    known = ["-o", f"UserKnownHostsFile={synced.registry.known_hosts}"]
    host = synced.apps[0]
    asked = [*ssh, *known, f"dockyard-drift@{host.address}", "touch /tmp/written; echo mine"]
    said = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert said.stdout.startswith("@@dockyard-stdout\n")
    assert "mine" not in said.stdout
    assert host.run("test -e /tmp/written", check=False).returncode == 1
    for host in synced.hosts:
        let_read_no_more(host)


@pytest.mark.full
def test_a_host_that_forwards_no_more_and_what_comes_of_it(synced: Fleet) -> None:
    """Published ports lead nowhere: its engine loses the registry, and every proxy the engine."""
    host = synced.apps[2]
    engine = f"{host.address}:1080"
    host.run("sysctl -qw net.ipv4.ip_forward=0")
    checked = drift(synced)
    host.run("sysctl -qw net.ipv4.ip_forward=1")
    assert (host.name, "host_setup", "net.ipv4.ip_forward", "differs") in checked.found
    assert checked.found - {(host.name, "host_setup", "net.ipv4.ip_forward", "differs")} <= {
        (host.name, "soa_engine", f"{ENGINES}/{engine}", "missing"),
        *((app.name, "proxy", f"engine {engine}", "missing") for app in synced.apps),
    }
    wait_until(lambda: drift(synced).exit_code == IN_SYNC, "it is in sync again")


RUNS, ELECTIONS = 50, 5


@pytest.mark.full
def test_of_an_untouched_fleet_nothing_is_told(synced: Fleet) -> None:
    """While it is called, after a reboot that has ended, and after other packages were upgraded."""
    rebooted, upgraded = synced.apps[2], synced.apps[1]
    told = []
    with load(sorted(synced.proxies), RATE_PER_S):
        for number in range(RUNS):
            if number == RUNS // 3:
                rebooted.reboot()
                wait_until(lambda: up(rebooted) == synced.engines, "it serves again", 60)
            if number == 2 * RUNS // 3:
                upgraded.run("apt-get -qq install --reinstall -y hostname", timeout_s=300)
            checked = drift(synced)
            told.append((checked.exit_code, checked.found, checked.unmanaged))
    assert told == [(IN_SYNC, set(), set())] * RUNS


@pytest.mark.full
def test_an_election_is_no_drift(synced: Fleet) -> None:
    beside = Lab(f"{synced.lab.name}-elect")
    beside.up(hosts=0, registry=3, with_docker=True)
    try:
        inventory = synced.checkout.inventory(beside.hosts, base_image=beside.base_image())
        run = synced.checkout.run(inventory, "-y")
        assert run.exit_code == 0, run.output
        ensemble = replace(synced, lab=beside, inventory=inventory)
        for _ in range(ELECTIONS):
            leads = [h for h in beside.hosts if four_letters(h, "srvr")["Mode"] == "leader"]
            leads[0].run(f"docker restart --time 0 {SERVER}")
            checked = drift(ensemble)
            assert (checked.exit_code, checked.found) == (IN_SYNC, set())
            wait_until(lambda: all(map(serves, beside.hosts)), "all serve again", 60)
    finally:
        beside.down()
