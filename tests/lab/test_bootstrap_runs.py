"""Bootstraps that are cut off and go on, and of many hosts at once."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.reading import ENGINES, await_expiry, of_each, registered, up, wait_until
from tests.lab.running import Checkout, Listed, Running
from tests.lab.stranger import fingerprint, let_in, lock_away
from tests.lab.test_bootstrap import CANARY

pytestmark = pytest.mark.full

BOOTSTRAP = "deploy/bootstrap.py"
MANY = 20
LEASE_S = 10
MOST_STEPS = 60
"""More than a new host needs."""


@pytest.fixture
def product(own: Checkout) -> Checkout:
    """The product, and the password of its new hosts."""
    own.edit("group_data/all.py", '"lease_s": 60', f'"lease_s": {LEASE_S}')
    file = own.directory / "first"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    return own


def many(name: str, hosts: int) -> Iterator[Lab]:
    lab = Lab(name)
    lab.up(hosts=hosts, registry=1, release="bookworm", with_docker=True)
    yield lab
    lab.down()


@pytest.fixture
def two(lab_name: str) -> Iterator[Lab]:
    yield from many(f"{lab_name}-cut", 1)


@pytest.fixture
def twenty(lab_name: str) -> Iterator[Lab]:
    yield from many(f"{lab_name}-many", MANY)


def inventory(product: Checkout, lab: Lab, new: list[LabHost]) -> str:
    """The new as ops logs in to them; the registry's server, which has no such user, as root."""
    public = lab.private_key.with_name(f"{lab.private_key.name}.pub").read_text().strip()
    known = product.directory / "inventories" / "known_hosts"
    (line,) = [x for x in lab.known_hosts.read_text().splitlines() if ",registry-1 " in x]
    known.write_text(f"{line}\n")
    listed = [Listed(lab["registry-1"], {"ssh_user": "root", "host_setup": {"user": None}})]
    for host in new:
        access = {"password": {"file": "first"}, "fingerprint": fingerprint(host)}
        listed.append(Listed(host, {"access": access}))
    data: dict[str, Any] = {
        "ssh_known_hosts_file": str(known),
        "_sudo": True,
        "host_setup": {"user": {"name": "ops", "keys": [public]}, "timezone": "Europe/Berlin"},
    }
    return product.inventory(listed, data, user="ops", base_image=lab.base_image("bookworm"))


def apps(lab: Lab) -> list[LabHost]:
    return [host for host in lab.hosts if host.name.startswith("app")]


def limits(hosts: list[LabHost]) -> list[str]:
    return [word for host in hosts for word in ("--limit", host.name)]


def step_or_end(running: Running) -> bool:
    """Return when a first change was reported as made; False where the run has ended before."""
    deadline = time.monotonic() + 300
    while running.is_running:
        if re.search(r"^ +\+ ", running.output, re.MULTILINE):
            return True
        assert time.monotonic() < deadline, running.output
        time.sleep(0.02)
    return False


def test_a_run_that_is_killed_after_each_step_goes_on(two: Lab, product: Checkout) -> None:
    first = product.run(inventory(product, two, []), "-y")
    assert first.exit_code == 0, first.output
    (new,) = apps(two)
    listed = inventory(product, two, [new])
    lock_away(new, CANARY)
    steps: list[str] = []
    for _ in range(MOST_STEPS):
        running = product.start(listed, "-y", *limits([new]), deploy=BOOTSTRAP)
        if not step_or_end(running):
            break
        running.send(signal.SIGKILL)
        steps += running.wait().done
        await_expiry([two["registry-1"]], 4 * LEASE_S)
    last = running.wait()
    assert last.exit_code == 0, last.output
    assert len(steps) > 10
    let_in(new)
    assert registered(two["registry-1"])[ENGINES] == up(new) == {f"{new.address}:1080"}
    again = product.run(listed, "-y", *limits([new]), deploy=BOOTSTRAP)
    assert (again.exit_code, again.planned) == (0, []), again.output


def test_twenty_hosts_are_like_one(twenty: Lab, product: Checkout) -> None:
    first = product.run(inventory(product, twenty, []), "-y")
    assert first.exit_code == 0, first.output
    new = apps(twenty)
    listed = inventory(product, twenty, new)
    of_each(new, lambda host: lock_away(host, CANARY))
    run = product.run(listed, "-y", *limits(new), deploy=BOOTSTRAP, timeout_s=2400)
    assert run.exit_code == 0, run.output[-5000:]
    assert CANARY not in run.output
    of_each(new, let_in)
    engines = {f"{host.address}:1080" for host in new}
    assert len(engines) == MANY
    assert registered(twenty["registry-1"])[ENGINES] == engines
    wait_until(lambda: all(up(host) == engines for host in new), "every proxy knows every engine")
    again = product.run(listed, "-y", *limits(new), deploy=BOOTSTRAP)
    assert (again.exit_code, again.planned) == (0, []), again.output
