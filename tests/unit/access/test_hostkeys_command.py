"""`dockyard hostkeys`: what is pinned, what is shown, and that nothing is trusted by itself."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from roles.access import known_hosts
from roles.access.known_hosts import HostKey
from roles.access.place import Place
from roles.access.rotation import rotate_by_fingerprint, stale
from roles.run import whole_file
from tests.unit.access.server import (
    ADDRESS,
    Server,
    as_host_key,
    loaded,
    new_host_key,
    private_key,
)
from tests.unit.command import dockyard


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text(private_key())
    return tmp_path


def hostkeys(home: Path, server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    data = {
        "ssh_hostname": ADDRESS,
        "ssh_port": server.port,
        "ssh_user": "ops",
        "ssh_known_hosts_file": str(home / "known_hosts"),
    }
    (home / "fleet.py").write_text(f"new = [('app-4', {data!r})]\n")
    return dockyard(home, "-i", str(home / "fleet.py"), "hostkeys", *words)


def pins(home: Path, server: Server) -> tuple[HostKey, ...]:
    file = home / "known_hosts"
    return known_hosts.pinned(file.read_text(), server.name) if file.exists() else ()


def pin(home: Path, server: Server, *keys: HostKey) -> None:
    (home / "known_hosts").write_text(known_hosts.added("", server.name, keys or server.keys))


def test_from_unknown_to_pinned_to_forgotten(home: Path) -> None:
    with Server() as server:
        (key,) = server.keys
        assert hostkeys(home, server, "list").stdout == "app-4: none\n"

        seen = hostkeys(home, server, "scan")
        assert (seen.returncode, seen.stderr) == (2, "")
        assert seen.stdout == f"app-4: not pinned: shows {key}\n"
        assert pins(home, server) == ()

        unasked = hostkeys(home, server, "trust", "app-4")
        assert unasked.returncode == 1
        assert "there is no terminal to confirm on" in unasked.stderr
        assert pins(home, server) == ()

        right = hostkeys(home, server, "trust", "app-4", "--fingerprint", key.fingerprint)
        assert right.returncode == 0, right.stderr
        assert pins(home, server) == (key,)

        assert hostkeys(home, server, "list", "app-4").stdout == f"app-4: {key}\n"
        seen = hostkeys(home, server, "scan", "app-4")
        assert (seen.returncode, seen.stdout) == (0, f"app-4: known: shows {key}; pinned {key}\n")

        assert hostkeys(home, server, "forget", "app-4").returncode == 0
        assert pins(home, server) == ()
        assert server.tried == []


def test_a_bastion_by_its_address(home: Path) -> None:
    """It is asked for by its own connection, before the hosts behind it can be."""
    with Server() as bastion, Server() as server:
        text = f"Host {ADDRESS}\n  ProxyJump localhost:{bastion.port}\n"
        (home / ".ssh" / "config").write_text(text)
        (key,) = bastion.keys
        seen = hostkeys(home, server, "scan")
        assert seen.returncode == 2
        assert "app-4: could not be asked: bastion localhost" in seen.stdout
        assert bastion.tried == []
        assert f"localhost: not pinned: shows {key}\n" in seen.stdout
        trusted = hostkeys(home, server, "trust", "localhost", "--fingerprint", key.fingerprint)
        assert trusted.returncode == 0, trusted.stderr
        assert server.connections == 0
        written = (home / ".ssh" / "known_hosts").read_text()
        assert known_hosts.pinned(written, f"[localhost]:{bastion.port}") == (key,)


def test_a_wrong_fingerprint_pins_nothing(home: Path) -> None:
    wrong = as_host_key(new_host_key()).fingerprint
    with Server() as server:
        run = hostkeys(home, server, "trust", "app-4", "--fingerprint", wrong)
        assert run.returncode == 1
        assert f"expected {wrong}" in run.stderr
        assert server.keys[0].fingerprint in run.stderr
        assert pins(home, server) == ()


def test_a_changed_key(home: Path) -> None:
    other = as_host_key(new_host_key())
    with Server() as server:
        pin(home, server, other)
        seen = hostkeys(home, server, "scan")
        assert seen.returncode == 2
        assert seen.stdout == f"app-4: changed: shows {server.keys[0]}; pinned {other}\n"
        given = ("--fingerprint", server.keys[0].fingerprint)
        trusted = hostkeys(home, server, "trust", "app-4", *given)
        assert trusted.returncode == 1
        assert "`dockyard hostkeys rotate app-4`" in trusted.stderr
        rotated = hostkeys(home, server, "rotate", "app-4")
        assert rotated.returncode == 1
        assert "nothing proves the new key" in rotated.stderr
        assert pins(home, server) == (other,)
        assert server.tried == []
        assert hostkeys(home, server, "rotate", "app-4", *given).returncode == 0
        assert pins(home, server) == server.keys


def test_a_proven_key_takes_the_others_place_in_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends it, the file has the old pins or the new one."""
    old, new = (as_host_key(new_host_key()) for _ in range(2))
    file = tmp_path / "known_hosts"
    file.write_text(before := known_hosts.added("# ours\n", ADDRESS, [old]))
    place = Place(ADDRESS, 22, known_hosts=str(file))
    written: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(whole_file, "write", lambda path, text: written.append(text))
        rotate_by_fingerprint(place, (new,), new.fingerprint)
    assert written == [known_hosts.added("# ours\n", ADDRESS, [new])]
    assert file.read_text() == before
    rotate_by_fingerprint(place, (old, new), new.fingerprint)
    assert place.pins == (new,)


def test_the_old_key_vouches_for_the_new_one(home: Path) -> None:
    """A new key lies beside the old one on the host, then takes its place."""
    new = new_host_key()
    printed = f"Welcome\nssh-ed25519 {b64encode(as_host_key(new).blob).decode()} root@app-4\n"
    path = home / "bin"
    path.mkdir()
    (path / "cat").write_text(f"#!/bin/sh\nprintf %s '{printed}'\n")
    (path / "cat").chmod(0o755)
    own = loaded((home / ".ssh" / "id_ed25519").read_text())
    with Server(users={"ops": [own]}, path=path) as server:
        (old,) = server.keys
        pin(home, server)
        first = hostkeys(home, server, "rotate", "app-4")
        assert first.returncode == 0, first.stderr
        assert "Put it in the old one's place there, and run this again" in first.stdout
        assert pins(home, server) == (old, as_host_key(new))

        server.host_keys = [new]
        second = hostkeys(home, server, "rotate", "app-4")
        assert second.returncode == 0, second.stderr
        assert pins(home, server) == (as_host_key(new),)

        third = hostkeys(home, server, "rotate", "app-4")
        assert "nothing to do" in third.stdout


def test_who_is_not_let_in_proves_nothing(home: Path) -> None:
    with Server() as server:
        pin(home, server)
        run = hostkeys(home, server, "rotate", "app-4")
        assert run.returncode == 1
        assert "can't be logged in to, so nothing proves a new key" in run.stderr
        assert pins(home, server) == server.keys


def test_a_host_that_does_not_answer(home: Path) -> None:
    with Server() as server:
        pass
    run = hostkeys(home, server, "scan")
    assert run.returncode == 3
    assert "app-4: could not be asked: 127.0.0.1 port" in run.stdout


@pytest.mark.parametrize(
    "words, told",
    [
        (("trust", "app-5"), "app-5: no host of the inventory"),
        (("trust", "app-4", "--fingerprint", "MD5:x"), "expected it as `ssh-keygen -lf` shows it"),
        (("forget",), "Missing argument"),
    ],
)
def test_what_can_not_be_meant(home: Path, words: tuple[str, ...], told: str) -> None:
    with Server() as server:
        run = hostkeys(home, server, *words)
        assert server.connections == 0
    assert run.returncode == 1
    assert told in run.stderr
    assert "Traceback" not in run.stderr


def test_a_pin_is_old_where_another_of_its_type_is_shown() -> None:
    one, other = (as_host_key(new_host_key()) for _ in range(2))
    rsa = HostKey("ssh-rsa", b"\0\0\0\x07ssh-rsa1")
    assert stale([one, rsa, other], [other]) == (one,)
    assert stale([one, rsa], [one]) == ()
    assert stale([one], [other]) == ()
