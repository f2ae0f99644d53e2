"""A host with nothing but a root password joins the running system by one command, and leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Lab, LabHost
from tests.lab.load import load
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

CANARY = "canary-root-4713"
LOGS = "/apps/logs/sayhello-service-engine"
RATE_PER_S = 100
INVENTORY = "inventories/fleet.py"
LIST = """\
# Ours, and why.
hosts:
  registry-1:
    groups: [registry, sdk]  # the first
    address: {registry}
    user: root
  app-1: {{groups: [engine, proxy], address: {app}, user: root}}
"""
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
    """Two hosts that serve, and one that only its root password opens."""

    lab: Lab
    checkout: Checkout
    password_file: Path

    @property
    def new(self) -> LabHost:
        return self.lab["app-2"]

    @property
    def registry(self) -> str:
        return f"{self.lab['registry-1'].address}:2181"

    @property
    def host_list(self) -> Path:
        return self.checkout.directory / "inventories" / "fleet.yaml"

    def dockyard(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.checkout.dockyard("-i", INVENTORY, *words)

    def bootstrap(self) -> subprocess.CompletedProcess[str]:
        public = self.new.host_key.with_name(f"{self.new.host_key.name}.pub")
        told = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True)
        words = [self.new.address, "--name", "app-2", "--groups", "engine,proxy"]
        words += ["--password-file", str(self.password_file)]
        return self.dockyard("bootstrap", *words, "--fingerprint", told.stdout.split()[1], "-y")


@pytest.fixture(scope="module")
def growing(
    lab_name: str, checkout: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Growing]:
    lab = Lab(f"{lab_name}-new")
    lab.up(hosts=2, registry=1)
    product = checkout.copy(tmp_path_factory.mktemp("growing"))
    inventories = product.directory / "inventories"
    addresses = {"registry": lab["registry-1"].address, "app": lab["app-1"].address}
    (inventories / "fleet.yaml").write_text(LIST.format(**addresses))
    archive = str(lab.base_image("bookworm"))
    (inventories / "fleet.py").write_text(READ.format(key=str(lab.private_key), archive=archive))
    known = [line for line in lab.known_hosts.read_text().splitlines() if "app-2" not in line]
    known = [line for line in known if not line.startswith(f"{lab['app-2'].address} ")]
    (inventories / "known_hosts").write_text("\n".join(known) + "\n")
    public = lab.private_key.with_name(f"{lab.private_key.name}.pub")
    keys = f'{{"name": "ops", "keys": {{"files": ["{public}"]}}}}'
    product.edit("group_data/all.py", '"user": None,', f'"user": {keys},')
    password_file = product.directory / "first"
    password_file.write_text(f"{CANARY}\n")
    password_file.chmod(0o600)
    first = product.run(INVENTORY, "-y")
    assert first.exit_code == 0, first.output
    _lock_away(lab["app-2"])
    yield Growing(lab, product, password_file)
    lab.down()


def _lock_away(host: LabHost) -> None:
    """Let root in by a password alone."""
    settings = "PasswordAuthentication yes\\nPermitRootLogin yes\\n"
    host.feed(f"root:{CANARY}\n".encode(), "chpasswd")
    host.run(f"printf '{settings}' >/etc/ssh/sshd_config.d/first.conf && systemctl reload ssh")
    host.run("rm /root/.ssh/authorized_keys")


def _let_in(host: LabHost) -> None:
    """Have the tests' own login back, through the user that looks after the host now."""
    key = host.private_key.with_name(f"{host.private_key.name}.pub").read_bytes()
    put = "sudo install -D -m 600 /dev/stdin /root/.ssh/authorized_keys"
    subprocess.run([*host.ssh_command("ops"), put], input=key, check=True, timeout=30)


def test_one_command_then_it_serves(growing: Growing) -> None:
    new = growing.new
    others = [growing.lab["app-1"], growing.lab["registry-1"]]
    before = of_each(others, containers)
    with load(rate_per_s=RATE_PER_S, registry=growing.registry) as calls:
        joined = growing.bootstrap()
        assert joined.returncode == 0, joined.stdout + joined.stderr
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    _let_in(new)
    calls.assert_none_lost([growing.lab["app-1"], new], LOGS)
    assert {request.engine for request in calls.requests} >= {f"{new.address}:1080"}
    assert of_each(others, containers) == before
    engines = {f"{growing.lab[name].address}:1080" for name in ("app-1", "app-2")}
    assert registered(growing.lab["registry-1"])[ENGINES] == engines
    assert up(new) == engines
    said = joined.stdout + joined.stderr
    assert "+  app-2:" in said and CANARY not in said
    listed = growing.host_list.read_text()
    assert listed.startswith("# Ours, and why.") and "# the first" in listed
    settings = new.run("sshd -T").stdout
    assert "passwordauthentication no" in settings and "kbdinteractiveauthentication no" in settings


def test_a_second_run_changes_nothing(growing: Growing) -> None:
    before = disk(growing.new)
    again = growing.bootstrap()
    said = again.stdout + again.stderr
    assert again.returncode == 0, said
    assert "Nothing to change" in said and "is listed in inventories/fleet.yaml already" in said
    assert disk(growing.new) == before
    checked = growing.dockyard("drift", INVENTORY)
    assert checked.returncode == 0, checked.stdout


def test_it_leaves_and_nobody_misses_it(growing: Growing) -> None:
    new, app = growing.new, growing.lab["app-1"]
    with load(rate_per_s=RATE_PER_S, registry=growing.registry) as calls:
        left = growing.dockyard("retire", "app-2", "-y")
        assert left.returncode == 0, left.stdout + left.stderr
        calls.wait_for(len(calls.requests) + 5 * RATE_PER_S)
    calls.assert_none_lost([app, new], LOGS)
    assert containers(new) == {}
    assert "sayhello" not in new.run("docker image ls").stdout
    assert new.run(f"ls {LOGS}").stdout.strip()
    assert "app-2" not in growing.host_list.read_text()
    assert "# the first" in growing.host_list.read_text()
    known = growing.checkout.directory / "inventories" / "known_hosts"
    assert f"{new.address} " not in known.read_text()
    found = registered(growing.lab["registry-1"])
    assert found[ENGINES] == {f"{app.address}:1080"}
    assert found[PROXIES] == {f"{app.address}:2080"}
    wait_until(lambda: up(app) == {f"{app.address}:1080"}, "its proxy knows one engine", 10)
    checked = growing.dockyard("drift", INVENTORY)
    assert checked.returncode == 0, checked.stdout


def test_the_last_of_all_stays(growing: Growing) -> None:
    refused = growing.dockyard("retire", "app-1", "-y")
    assert refused.returncode == 1
    assert "would leave no host of the group 'engine'" in refused.stdout + refused.stderr
