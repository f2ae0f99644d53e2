"""A host with nothing but a root password joins the running system by one command, and leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.load import forget_served, load
from tests.lab.reading import (
    ENGINES,
    PROXIES,
    containers,
    disk,
    of_each,
    registered,
    up,
    wait_until,
)
from tests.lab.running import Checkout
from tests.lab.stranger import fingerprint, let_in, lock_away

NAME = "app-4"
CANARY = "canary-root-4713"
LOGS = "/apps/logs/sayhello-service-engine"
RATE_PER_S = 100
INVENTORY = "inventories/fleet.py"
READ = """\
from inventories.host_list import KNOWN_HOSTS, read

_groups = read("inventories/fleet.yaml")
registry, engine, proxy, sdk = (_groups[name] for name in ("registry", "engine", "proxy", "sdk"))
every = (
    list(dict.fromkeys(name for hosts in _groups.values() for name, _ in hosts)),
    {{
        "ssh_user": "ops",
        "_sudo": True,
        "ssh_key": {key!r},
        "ssh_known_hosts_file": KNOWN_HOSTS,
        "ssh_strict_host_key_checking": "yes",
        "images": {{"base_archives": {{"debian:bookworm-slim": {archive!r}}}}},
    }},
)
"""


@dataclass(frozen=True)
class Growing:
    """The fleet, and a host that only its root password opens."""

    fleet: Fleet
    checkout: Checkout
    new: LabHost

    @property
    def registry(self) -> str:
        return f"{self.fleet.registry.address}:2181"

    @property
    def host_list(self) -> Path:
        return self.checkout.directory / "inventories" / "fleet.yaml"

    @property
    def password_file(self) -> Path:
        return self.checkout.directory / "first"

    def dockyard(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.checkout.dockyard("-i", INVENTORY, *words)

    def bootstrap(self) -> subprocess.CompletedProcess[str]:
        words = [self.new.address, "--name", NAME, "--groups", "engine,proxy"]
        words += ["--password-file", str(self.password_file)]
        return self.dockyard("bootstrap", *words, "--fingerprint", fingerprint(self.new), "-y")


@pytest.fixture(scope="module")
def growing(steady: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Growing]:
    product = steady.checkout.copy(tmp_path_factory.mktemp("growing"))
    inventories = product.directory / "inventories"
    lines = ["# Ours, and why.", "hosts:"]
    for host in steady.hosts:
        lines += [f"  {host.name}:  # an old one", f"    groups: [{', '.join(host.groups)}]"]
        lines += [f"    address: {host.address}", "    user: root"]
    (inventories / "fleet.yaml").write_text("\n".join(lines) + "\n")
    lab = steady.lab
    read = READ.format(key=str(lab.private_key), archive=str(lab.base_image("bookworm")))
    (inventories / "fleet.py").write_text(read)
    (inventories / "known_hosts").write_text(lab.known_hosts.read_text())
    public = lab.private_key.with_name(f"{lab.private_key.name}.pub")
    keys = f'{{"name": "ops", "keys": {{"files": ["{public}"]}}}}'
    product.edit("group_data/all.py", '"user": None,', f'"user": {keys},')
    new = lab.add(NAME, groups=["engine", "proxy"])
    try:
        lock_away(new, CANARY)
        made = Growing(steady, product, new)
        made.password_file.write_text(f"{CANARY}\n")
        made.password_file.chmod(0o600)
        yield made
    finally:
        lab.remove(NAME)


def test_one_command_then_it_serves(growing: Growing) -> None:
    new, fleet = growing.new, growing.fleet
    others = [host for host in fleet.hosts if host != new]
    before = of_each(others, containers)
    forget_served([host for host in others if "engine" in host.groups], LOGS)
    with load(rate_per_s=RATE_PER_S, registry=growing.registry) as calls:
        joined = growing.bootstrap()
        assert joined.returncode == 0, joined.stdout + joined.stderr
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    let_in(new)
    calls.assert_none_lost(fleet.apps, LOGS)
    assert f"{new.address}:1080" in {request.engine for request in calls.requests}
    assert of_each(others, containers) == before
    assert registered(fleet.registry)[ENGINES] == up(new) == fleet.engines
    said = joined.stdout + joined.stderr
    assert f"+  {NAME}:" in said and CANARY not in said
    listed = growing.host_list.read_text()
    assert listed.startswith("# Ours, and why.") and "# an old one" in listed
    settings = new.run("sshd -T").stdout
    assert "passwordauthentication no" in settings and "kbdinteractiveauthentication no" in settings


def test_a_second_run_changes_nothing(growing: Growing) -> None:
    before = disk(growing.new)
    again = growing.bootstrap()
    said = again.stdout + again.stderr
    assert again.returncode == 0, said
    assert "Nothing to change" in said and "is listed in inventories/fleet.yaml already" in said
    assert disk(growing.new) == before
    checked = growing.dockyard("drift", INVENTORY, "--limit", NAME)
    assert checked.returncode == 0, checked.stdout


def test_it_leaves_and_nobody_misses_it(growing: Growing) -> None:
    new, fleet = growing.new, growing.fleet
    engine, proxy = f"{new.address}:1080", f"{new.address}:2080"
    forget_served(fleet.apps, LOGS)
    with load(rate_per_s=RATE_PER_S, registry=growing.registry) as calls:
        left = growing.dockyard("retire", NAME, "-y")
        assert left.returncode == 0, left.stdout + left.stderr
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    calls.assert_none_lost(fleet.apps, LOGS)
    assert containers(new) == {}
    assert "sayhello" not in new.run("docker image ls").stdout
    assert new.run(f"ls {LOGS}").stdout.strip()
    listed = growing.host_list.read_text()
    assert NAME not in listed and "# an old one" in listed
    known = growing.checkout.directory / "inventories" / "known_hosts"
    assert f"{new.address} " not in known.read_text()
    found = registered(fleet.registry)
    assert found[ENGINES] == fleet.engines - {engine}
    assert found[PROXIES] == fleet.proxies - {proxy}
    others = [host for host in fleet.apps if host != new]
    wait_until(lambda: all(up(app) == found[ENGINES] for app in others), "the proxies know", 10)


def test_the_last_of_a_group_stays(growing: Growing) -> None:
    refused = growing.dockyard("retire", "registry-1", "-y")
    assert refused.returncode == 1
    assert (
        "would leave no host of the group 'registry' in service" in refused.stdout + refused.stderr
    )
