"""A check in a process of its own: what it loads, and that it leaves no connection behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import gevent
import pytest
from gevent.event import Event
from pyinfra.api import Host, State
from pyinfra.api.exceptions import ConnectError

from roles.drift import process
from roles.run import connecting

ROOT = Path(__file__).parents[3]

LOADED = """
from gevent import monkey; monkey.patch_all()
import sys
from roles.drift import process
from roles.run import loading
before = {name for name in sys.modules if name.startswith(("pydantic", "kazoo"))}
loading.in_steps(process.LOADED_MEANWHILE)
after = set(sys.modules)
import roles.drift.check, roles.drift.report
print(sorted(before), sorted(set(sys.modules) - after))
"""


def test_what_compares_is_loaded_while_the_hosts_let_us_in() -> None:
    words = [sys.executable, "-c", LOADED]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[] []"


class Connections:
    """What becomes of every host's connection; without an error each waits until it is ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: BaseException | None = None) -> None:
        self.begun: list[str] = []
        self.all_slots_taken = Event()
        self.made: list[str] = []
        self.ended: list[str] = []
        self.closed: list[str] = []
        self._fails = fails
        monkeypatch.setattr(Host, "connect", lambda host, **_: self._connect(host))
        monkeypatch.setattr(process, "_close", self._close)

    def _connect(self, host: Host) -> None:
        self.begun.append(host.name)
        if len(self.begun) == connecting.AT_ONCE:
            self.all_slots_taken.set()
        if self._fails:
            raise self._fails
        try:
            Event().wait(20)
            self.made.append(host.name)
        finally:
            self.ended.append(host.name)

    def _close(self, state: State) -> None:
        self.closed += [host.name for host in state.inventory]


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "hosts.py"
    path.write_text(f"hosts = {[f'app-{number}.example' for number in range(60)]}\n")
    return str(path)


def checked(inventory: str, *limit: str) -> None:
    process.check_inventory(inventory, limit, {}, str(ROOT))


def test_an_end_while_loading_ends_all_that_connects(
    inventory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = Connections(monkeypatch)

    def interrupted(names: Iterable[str]) -> None:
        assert hosts.all_slots_taken.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr("roles.run.loading.in_steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checked(inventory)
    assert len(hosts.begun) == connecting.AT_ONCE
    assert len(hosts.closed) == 60
    assert hosts.made == []
    assert sorted(hosts.ended) == sorted(hosts.begun)
    gevent.sleep(0.05)
    assert len(hosts.begun) == connecting.AT_ONCE


def test_an_error_that_is_no_hosts_is_not_swallowed(
    inventory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = Connections(monkeypatch, ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        checked(inventory)
    assert len(hosts.closed) == 60


def test_only_the_hosts_of_the_limit_are_connected_to_first(
    inventory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = Connections(monkeypatch, ConnectError("no"))
    monkeypatch.setattr("roles.drift.check.check", lambda state, path: None)
    checked(inventory, "app-7.example")
    assert hosts.begun == ["app-7.example"]
