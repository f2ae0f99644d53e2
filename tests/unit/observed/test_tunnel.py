"""Whether a host reaches an address, told by an SSH transport that only pretends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from paramiko import ChannelException, SSHException

from roles.observed.tunnel import reaches

PLACE = ("198.18.0.12", 1080)
FORBIDDEN, FAILED = ChannelException(1, "prohibited"), ChannelException(2, "connect failed")


class Transport:
    """Opens a channel, or raises."""

    def __init__(self, error: Exception | None, is_active: bool = True) -> None:
        self.error, self.active = error, is_active

    def open_channel(self, *_: Any, timeout: float) -> Any:
        assert timeout == 3, "paramiko itself waits for an hour"
        if self.error:
            raise self.error
        return SimpleNamespace(close=lambda: None)

    def is_active(self) -> bool:
        return self.active


@pytest.mark.parametrize(
    "transport, told",
    [
        (Transport(None), True),
        (Transport(FAILED), False),
        (Transport(FORBIDDEN), None),
        (Transport(SSHException("Timeout opening channel.")), False),
        (Transport(SSHException("SSH session not active"), is_active=False), None),
        (Transport(EOFError(), is_active=False), None),
    ],
    ids=["open", "refused", "tunnels forbidden", "no answer", "not connected", "connection lost"],
)
def test_who_reaches_an_address(transport: Transport, told: bool | None) -> None:
    client = SimpleNamespace(get_transport=lambda: transport)
    host: Any = SimpleNamespace(connector=SimpleNamespace(client=client))
    assert reaches(host, *PLACE, 3) is told
