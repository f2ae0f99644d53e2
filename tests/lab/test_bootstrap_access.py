"""New hosts that let nobody in but by a first password or key: logged in to once they are known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.reading import disk, processes_seen
from tests.lab.running import Checkout
from tests.lab.stranger import fingerprint, lock_away

CANARY, SUDO_CANARY = "canary-first-4711", "canary-sudo-4712"
AUTHENTICATING = r"(Accepted|Failed|Connection closed by auth).* root"
"""What sshd logs of whoever has named a user, let alone a credential."""
SMALL = "small/bootstrap.py"
COMPOSITION = """\
from roles.docker_engine import plan as docker_engine
from roles.docker_engine.deploy import install_engine
from roles.run.survey import survey

survey((docker_engine,))

install_engine()
"""
"""A bootstrap of one role: what comes after the first login has tests of its own."""


@pytest.fixture
def product(own: Checkout) -> Checkout:
    """The product with a small bootstrap."""
    (own.directory / "small").mkdir()
    for path in (SMALL, "deploy/bootstrap.py"):
        (own.directory / path).write_text(COMPOSITION)
    return own


@pytest.fixture
def stranger(bare: Lab) -> Iterator[LabHost]:
    """A host that lets root in by a password alone; `deployer` by a key, for our own look."""
    host = bare["app-1"]
    host.feed(f"ops:{SUDO_CANARY}\n".encode(), "chpasswd")
    lock_away(host, CANARY)
    yield host
    host.reset()


def secret(checkout: Checkout, value: str) -> dict[str, str]:
    file = checkout.directory / f"secret-{value[7:10]}"
    file.write_text(value + "\n")
    file.chmod(0o600)
    return {"file": str(file)}


def known(checkout: Checkout) -> Path:
    return checkout.directory / "inventories" / "known_hosts"


def data(checkout: Checkout, access: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"ssh_known_hosts_file": str(known(checkout)), "access": access, **more}


def logins(host: LabHost, what: str) -> list[str]:
    """What sshd has logged of logins, such as `Failed password for root`."""
    log = host.run("sudo journalctl --boot --quiet -o cat", user="deployer").stdout
    return [line for line in log.splitlines() if re.match(what, line)]


def traces(host: LabHost, text: str) -> list[str]:
    """The files that a host has changed since it was bare, and that hold a text."""
    found = []
    for file in host.upper.rglob("*"):
        if file.is_file() and not file.is_symlink() and text.encode() in file.read_bytes():
            found.append(str(file.relative_to(host.upper)))
    return found


def test_a_root_password(stranger: LabHost, product: Checkout) -> None:
    access = {"password": secret(product, CANARY), "fingerprint": fingerprint(stranger)}
    inventory = product.inventory([stranger], data(product, access))
    with processes_seen([stranger]) as seen:
        run = product.run(inventory, "-y", "-vvv", "--debug-all", deploy=SMALL)
    assert run.exit_code == 0, run.output
    assert run.done == run.planned != []
    assert len(logins(stranger, "Accepted password for root")) == 1
    assert CANARY not in run.output
    assert [text for text in seen if CANARY in text] == []
    assert traces(stranger, CANARY) == []
    assert logins(stranger, f".*{CANARY}") == []
    (line,) = known(product).read_text().splitlines()
    assert line.split()[:2] == [stranger.address, "ssh-ed25519"]

    again = product.run(inventory, "-y", deploy=SMALL)
    assert again.exit_code == 0, again.output
    assert again.planned == again.done == []


def test_a_wrong_password_is_one_try(stranger: LabHost, product: Checkout) -> None:
    access = {"password": secret(product, SUDO_CANARY), "fingerprint": fingerprint(stranger)}
    inventory = product.inventory([stranger], data(product, access))
    before = disk(stranger)
    run = product.run(inventory, "-y", deploy=SMALL)
    assert run.exit_code == 1
    assert "the password was refused, one try was made" in run.output
    assert len(logins(stranger, "Failed password for root")) == 1
    assert disk(stranger) == before


def test_a_key_that_is_not_the_hosts(stranger: LabHost, bare: Lab, product: Checkout) -> None:
    other = bare["app-2"]
    access = {"password": secret(product, CANARY), "fingerprint": fingerprint(other)}
    inventory = product.inventory([stranger], data(product, access))
    tried = logins(stranger, AUTHENTICATING)
    for_fingerprint = product.run(inventory, "-y", deploy=SMALL)
    assert for_fingerprint.exit_code == 1
    assert f"access.fingerprint: expected {fingerprint(other)}" in for_fingerprint.output
    assert fingerprint(stranger) in for_fingerprint.output
    assert not known(product).exists()

    kind, key, *_ = other.host_key.with_name(f"{other.host_key.name}.pub").read_text().split()
    known(product).write_text(f"{stranger.address} {kind} {key}\n")
    inventory = product.inventory([stranger], data(product, {"password": access["password"]}))
    changed = product.run(inventory, "-y", deploy=SMALL)
    assert changed.exit_code == 1
    assert "host key: has changed" in changed.output
    assert logins(stranger, AUTHENTICATING) == tried


def test_a_user_whose_sudo_asks(stranger: LabHost, product: Checkout) -> None:
    host = stranger
    access = {
        "user": "ops",
        "key": str(host.private_key),
        "sudo_password": secret(product, SUDO_CANARY),
        "fingerprint": fingerprint(host),
    }
    wrong = {**access, "sudo_password": secret(product, CANARY)}
    refused = product.run(product.inventory([host], data(product, wrong)), "-y", deploy=SMALL)
    assert refused.exit_code == 1
    assert "sudo refused the user, or its password (one try was made)" in refused.output
    (counted,) = logins(host, ".* incorrect password attempt")
    assert " 1 incorrect password attempt " in counted

    inventory = product.inventory([host], data(product, access))
    with processes_seen([host]) as seen:
        run = product.run(inventory, "-y", "-vvv", deploy=SMALL)
    assert run.exit_code == 0, run.output
    assert run.done == run.planned != []
    assert any("sudo -H" in text for text in seen), "sudo was not seen at work"
    assert [text for text in seen if SUDO_CANARY in text] == []
    assert SUDO_CANARY not in run.output
    assert traces(host, SUDO_CANARY) == []
    assert logins(host, f".*{SUDO_CANARY}") == []


def test_one_command_through_a_bastion(stranger: LabHost, bare: Lab, product: Checkout) -> None:
    """An address and a root password; the bastion's key and the host's are not known yet."""
    bastion = bare["app-2"]
    (product.directory / "inventories" / "fleet.yaml").write_text("# ours\nhosts: {}\n")
    (product.directory / "inventories" / "fleet.py").write_text(
        "from inventories.host_list import KNOWN_HOSTS, read\n"
        f"_groups = read('inventories/fleet.yaml', bastion_key={str(bastion.private_key)!r})\n"
        "every = ([name for name, _ in _groups['proxy']], {'ssh_user': 'root',\n"
        "    'ssh_known_hosts_file': KNOWN_HOSTS, 'ssh_strict_host_key_checking': 'yes'})\n"
        "proxy = _groups['proxy']\n"
    )
    file = secret(product, CANARY)["file"]
    words = ["-i", "inventories/fleet.py", "bootstrap", stranger.address, "--name", "app-1"]
    words += ["--groups", "proxy", "--password-file", file, "-y"]
    words += ["--fingerprint", fingerprint(stranger), "--via", f"root@{bastion.address}"]
    unknown = product.dockyard(*words)
    assert unknown.returncode == 1
    assert f"bastion {bastion.address}: host key: is not pinned" in unknown.stderr
    assert "+  app-1:" in unknown.stderr
    assert logins(stranger, "Accepted password for root") == []

    trust = ("hostkeys", "trust", bastion.address, "--fingerprint", fingerprint(bastion))
    trusted = product.dockyard("-i", "inventories/fleet.py", *trust)
    assert trusted.returncode == 0, trusted.stderr
    joined = product.dockyard(*words)
    assert joined.returncode == 0, joined.stderr
    assert "app-1 is listed in inventories/fleet.yaml already" in joined.stderr
    assert CANARY not in unknown.stdout + unknown.stderr + joined.stdout + joined.stderr
    (accepted,) = logins(stranger, "Accepted password for root")
    assert f"from {bastion.address} " in accepted
    scanned = product.dockyard("-i", "inventories/fleet.py", "hostkeys", "scan")
    assert scanned.returncode == 0, scanned.stdout + scanned.stderr

    kind, key, *_ = bastion.host_key.with_name(f"{bastion.host_key.name}.pub").read_text().split()
    pins = [
        line for line in known(product).read_text().splitlines() if stranger.address not in line
    ]
    known(product).write_text("\n".join([*pins, f"{stranger.address} {kind} {key}", ""]))
    tried = logins(stranger, AUTHENTICATING)
    changed = product.run("inventories/fleet.py", "-y")
    assert changed.exit_code == 1
    assert "its host key is not the one that is known" in changed.output
    assert logins(stranger, AUTHENTICATING) == tried


def test_the_old_key_vouches_for_the_new_one(bare: Lab, product: Checkout) -> None:
    host = bare["registry-1"]
    known(product).write_text(host.known_hosts.read_text())
    inventory = product.inventory([host], {"ssh_known_hosts_file": str(known(product))})
    rotate = ("-i", inventory, "hostkeys", "rotate", host.name)
    assert "nothing to do" in product.dockyard(*rotate).stdout

    key, old = "/etc/ssh/ssh_host_new_ed25519_key", "/etc/ssh/ssh_host_ed25519_key"
    host.run(f"ssh-keygen -q -t ed25519 -N '' -f {key}")
    new = host.run(f"ssh-keygen -lf {key}.pub").stdout.split()[1]
    learned = product.dockyard(*rotate)
    assert "Put it in the old one's place there" in learned.stdout, learned.stderr
    host.run(f"mv {key} {old} && mv {key}.pub {old}.pub")  # sshd reads them at each connection
    assert product.dockyard("-i", inventory, "hostkeys", "scan").returncode == 0
    replaced = product.dockyard(*rotate)
    assert "shows the new keys; no more pinned" in replaced.stdout, replaced.stderr
    listed = product.dockyard("-i", inventory, "hostkeys", "list", host.name).stdout
    assert listed == f"{host.name}: ssh-ed25519 {new}\n"
    run = product.run(inventory, "--dry", deploy=SMALL)
    assert run.exit_code == 0, run.output
    host.reset()
