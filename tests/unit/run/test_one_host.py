"""HOST is one host: what pyinfra's --limit would take for a group or a pattern is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyinfra.api import Inventory, State
from pyinfra.api.exceptions import InventoryError
from pyinfra_cli.cli import _apply_inventory_limit

from roles.run import one_host
from tests.unit.command import dockyard

GROUPS = {"sdk": ["app-1", "app-2"], "app-3": ["app-3"], "zk-1": ["app-1", "zk-1"]}


def limited(name: str) -> State:
    hosts = ["app-1", "app-2", "app-3", "zk-1"]
    inventory = Inventory((hosts, {}), **{group: (names, {}) for group, names in GROUPS.items()})
    state = State()
    state.init(inventory, None, initial_limit=_apply_inventory_limit(inventory, (name,)))
    return state


@pytest.mark.parametrize("name", ["app-1", "app-3"])
def test_a_hosts_own_name(name: str) -> None:
    one_host.check(limited(name), name, "pyinfra I D")


@pytest.mark.parametrize(
    "name, told",
    [
        ("sdk", "found a group that means app-1, app-2;"),
        ("zk-1", "found a group that means app-1, zk-1;"),
        ("app-*", "found a pattern that means app-1, app-2, app-3;"),
        ("app-[1]", "found a pattern that means app-1;"),
    ],
)
def test_what_means_others(name: str, told: str) -> None:
    with pytest.raises(InventoryError) as error:
        one_host.check(limited(name), name, "pyinfra I D")
    assert f"{name}: expected the name of one host, {told}" in str(error.value)
    assert f"pyinfra I D --limit '{name}'" in str(error.value)


@pytest.mark.parametrize("words", [("retire",), ("drain", "--reason", "disk"), ("undrain",)])
def test_a_command_refuses_a_group_before_it_connects(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    inventory = tmp_path / "fleet.py"
    inventory.write_text("sdk = ['127.0.0.2', '127.0.0.3']\n")
    run = dockyard(tmp_path, "-i", str(inventory), *words, "sdk", "-y")
    said = run.stdout + run.stderr
    assert run.returncode == 1, said
    assert "sdk: expected the name of one host, found a group that means 127.0.0.2" in said
    assert f"pyinfra {inventory} deploy/{words[0]}.py --limit 'sdk'" in said
    assert "Connecting" not in said
