"""What is told of a host that was not connected to."""

from __future__ import annotations

import pytest

from roles.run.connecting import unreached


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("timed out", "can't be reached: timed out"),
        (
            "Authentication error (username=ops)",
            "lets no such login in; mend that, or take it in (dockyard bootstrap): "
            "Authentication error (username=ops)",
        ),
        (
            "SSH error (No host key for app-1 found in known_hosts)",
            "its host key is not the one that is known; compare it at the host's console first "
            "(`dockyard hostkeys scan app-1` shows both, `trust` or `rotate` pins): "
            "SSH error (No host key for app-1 found in known_hosts)",
        ),
    ],
)
def test_a_host_that_is_not_connected_to_is_told_with_what_to_do(why: str, told: str) -> None:
    assert unreached("app-1", why) == told
