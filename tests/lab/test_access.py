"""Who may deploy: users with sudo, with or without a password; and what others are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.conftest import Fleet
from tests.lab.reading import containers, disk, of_each
from tests.lab.running import Checkout

ENGINE_ALONE = "deploy/engine.py"
PASSWORD = "ops-lab"


def test_a_user_whose_sudo_asks_for_a_password(bare: Lab, checkout: Checkout) -> None:
    host = bare["app-2"]
    data = {"_sudo": True, "_sudo_password": PASSWORD}
    inventory = checkout.inventory([host], data, user="ops")
    run = checkout.run(inventory, "-y", "-vvv", deploy=ENGINE_ALONE)
    assert run.exit_code == 0, run.output
    assert len(run.done) == 1
    assert host.run("docker version --format '{{.Server.Version}}'").stdout.strip()
    assert PASSWORD not in run.output

    again = checkout.run(inventory, "-y", deploy=ENGINE_ALONE)
    assert again.exit_code == 0, again.output
    assert again.planned == again.done == []
    host.reset()


def test_a_rollout_by_a_user_whose_sudo_asks_for_a_password(fleet: Fleet, own: Checkout) -> None:
    own.edit("group_data/sdk.py", '"pids": 128', '"pids": 127')
    base = fleet.lab.base_image("bookworm")
    data = {"_sudo": True, "_sudo_password": PASSWORD}
    run = own.run(own.inventory(fleet.hosts, data, user="ops", base_image=base), "-y")
    assert run.exit_code == 0, run.output
    assert [line.split(": ")[:2] for line in run.done] == [["registry-1", "sdk"]]
    assert containers(fleet.registry)["osp-sdk"].running
    assert fleet.deploy().exit_code == 0


@pytest.mark.parametrize(
    ("user", "data", "text"),
    [
        ("deployer", {}, "commands run as user 1002, expected root; add --sudo, or `_sudo: True`"),
        ("ops", {"_sudo": True}, "sudo asks this user for a password"),
        ("guest", {"_sudo": True}, "where the user has no right to use it"),
        ("guest", {"_sudo": True, "_sudo_password": "guest"}, "sudo refused this user"),
        ("ops", {"_sudo": True, "_sudo_password": "wrong"}, "sudo refused this user"),
    ],
    ids=["sudo forgotten", "password forgotten", "no rights", "no rights, a password", "wrong one"],
)
def test_who_can_not_become_root_is_refused(
    bare: Lab, checkout: Checkout, user: str, data: dict[str, Any], text: str
) -> None:
    before = of_each(bare.hosts, disk)
    inventory = checkout.inventory(bare.hosts, data, user=user)
    run = checkout.run(inventory, "-y", deploy=ENGINE_ALONE, timeout_s=90)
    assert run.exit_code == 1, run.output
    assert {problem.split(":")[0] for problem in run.problems} == {h.name for h in bare.hosts}
    assert all(text in problem for problem in run.problems), run.output
    assert run.done == []
    assert of_each(bare.hosts, disk) == before
