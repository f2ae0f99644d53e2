"""Who may deploy: users with sudo, with or without a password; and what others are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import containers, disk, of_each, processes_seen
from tests.lab.running import Checkout, Listed

ENGINE_ALONE = "deploy/engine.py"
PASSWORD = "ops-lab"


def assert_never_shown(secret: str, seen: set[str], hosts: list[LabHost]) -> None:
    """Fail where a secret stood in a process list or a log of a host."""
    assert any("sudo -H" in text for text in seen), "sudo was not seen at work"
    assert [text for text in seen if secret in text] == []
    for host in hosts:
        found = host.run(
            f"journalctl --boot --quiet --grep {secret[0]}[{secret[1]}]{secret[2:]}", check=False
        )
        assert found.stdout == ""


def test_a_user_whose_sudo_asks_for_a_password(bare: Lab, checkout: Checkout) -> None:
    host = bare["app-2"]
    data = {"_sudo": True, "_sudo_password": PASSWORD}
    inventory = checkout.inventory([host], data, user="ops")
    with processes_seen([host]) as seen:
        run = checkout.run(inventory, "-y", "-vvv", deploy=ENGINE_ALONE)
    assert run.exit_code == 0, run.output
    assert run.done == run.planned != []
    assert_never_shown(PASSWORD, seen, [host])
    assert host.run("docker version --format '{{.Server.Version}}'").stdout.strip()
    assert PASSWORD not in run.output

    again = checkout.run(inventory, "-y", deploy=ENGINE_ALONE)
    assert again.exit_code == 0, again.output
    assert again.planned == again.done == []
    host.reset()


@pytest.mark.full
def test_a_rollout_by_a_user_whose_sudo_asks_for_a_password(fleet: Fleet, own: Checkout) -> None:
    own.edit("group_data/sdk.py", '"pids": 128', '"pids": 127')
    base = fleet.lab.base_image("bookworm")
    data = {"_sudo": True, "_sudo_password": PASSWORD}
    inventory = own.inventory(fleet.hosts, data, user="ops", base_image=base)
    with processes_seen(fleet.hosts) as seen:
        run = own.run(inventory, "-y")
    assert run.exit_code == 0, run.output
    assert_never_shown(PASSWORD, seen, fleet.hosts)
    assert [line.split(": ")[:2] for line in run.done] == [["registry-1", "sdk"]]
    assert containers(fleet.registry)["osp-sdk"].running
    assert fleet.deploy().exit_code == 0


@dataclass(frozen=True)
class Login:
    host: str
    user: str
    data: dict[str, Any]
    told: str


FORGOTTEN = [
    Login("app-1", "deployer", {}, "commands run as user 1002, expected root; add --sudo, or"),
    Login("app-2", "ops", {"_sudo": True}, "sudo asks this user for a password"),
    Login("registry-1", "guest", {"_sudo": True}, "where the user has no right to use it"),
]
WRONG = [
    Login("app-1", "guest", {"_sudo": True, "_sudo_password": "guest"}, "sudo refused this user"),
    Login("app-2", "ops", {"_sudo": True, "_sudo_password": "wrong"}, "sudo refused this user"),
]


@pytest.mark.parametrize("logins", [FORGOTTEN, WRONG], ids=["forgotten", "wrong"])
def test_who_can_not_become_root_is_refused(
    bare: Lab, checkout: Checkout, logins: list[Login]
) -> None:
    before = of_each(bare.hosts, disk)
    hosts = [Listed(bare[g.host], {"ssh_user": g.user, **g.data}) for g in logins]
    run = checkout.run(checkout.inventory(hosts), "-y", deploy=ENGINE_ALONE, timeout_s=90)
    assert run.exit_code == 1, run.output
    assert len(run.problems) == len(logins)
    for login, problem in zip(logins, run.problems, strict=True):
        assert problem.startswith(f"{login.host}: ")
        assert login.told in problem
    assert run.done == []
    assert of_each(bare.hosts, disk) == before
