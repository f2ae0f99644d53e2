from __future__ import annotations

import logging
from typing import Any

import pytest
from pyinfra.api import FunctionCommand

from roles.drift import operations
from roles.drift.operations import OPTIONS, told
from roles.observed.channel import Result
from tests.unit.build import local_state

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHnH/0+= dockyard-drift@deploy-1"


def execute(monkeypatch: pytest.MonkeyPatch, stdout: str) -> tuple[object, list[str]]:
    """Run what the operation yields, where `cat` prints this; return its result and the command."""
    asked: list[str] = []

    def run(state: Any, host: Any, command: str, **more: Any) -> Result:
        asked.append(command)
        return Result(0, stdout.encode(), b"")

    monkeypatch.setattr(operations.channel, "run", run)
    state = local_state("@local")
    (command,) = told._inner(user="dockyard-drift", home="/srv/drift")
    assert isinstance(command, FunctionCommand)
    host = state.inventory.get_host("@local")
    return command.execute(state, host, {}), asked


def test_the_line_for_the_hosts_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")
    is_done, (asked,) = execute(monkeypatch, f"{KEY}\n")
    assert is_done is True
    assert f"{OPTIONS} {KEY}" in caplog.messages
    assert any("docs/drift.md" in message for message in caplog.messages)
    assert asked.startswith("setpriv --reuid=dockyard-drift ")
    assert asked.endswith(" cat /srv/drift/.ssh/id_ed25519.pub")


@pytest.mark.parametrize("found", ["", "root:$y$secret:1", f"{KEY}\x1b[2J", f"{KEY}\n{KEY}"])
def test_what_is_no_key_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, found: str
) -> None:
    is_done, _ = execute(monkeypatch, found)
    assert is_done is False
    assert not any(found and found in message for message in caplog.messages)
    assert any("is no ed25519 key; remove it, run again" in m for m in caplog.messages)
