"""Pins in a known_hosts file: found by plain and hashed names; all else stays byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import paramiko
import pytest

from roles.access import known_hosts
from roles.access.known_hosts import HostKey
from roles.access.verdict import Verdict, proven, verdict
from tests.unit.access.server import as_host_key, new_host_key

ONE, OTHER, THIRD = (as_host_key(new_host_key()) for _ in range(3))
RSA = HostKey("ssh-rsa", b"\0\0\0\x07ssh-rsa1")


def line(names: str, key: HostKey, comment: str = "") -> str:
    return known_hosts.added("", names, [key]).rstrip("\n") + comment + "\n"


def test_a_host_by_its_name_or_address_and_port() -> None:
    text = line("web-1,198.18.0.11", ONE) + line("[198.18.0.11]:2222", OTHER)
    assert known_hosts.pinned(text, "198.18.0.11") == (ONE,)
    assert known_hosts.pinned(text, "web-1") == (ONE,)
    assert known_hosts.pinned(text, known_hosts.name_of("198.18.0.11", 2222)) == (OTHER,)
    assert known_hosts.pinned(text, "web-2") == ()


def test_a_hashed_name() -> None:
    hashed = paramiko.HostKeys.hash_host("web-1")
    text = line(hashed, ONE)
    assert known_hosts.pinned(text, "web-1") == (ONE,)
    assert known_hosts.pinned(text, "web-2") == ()
    assert known_hosts.removed(text, "web-1") == ""


def test_what_is_pinned_is_what_paramiko_compares_with(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(known_hosts.added("", "[::1]:2222", [ONE]))
    keys = paramiko.HostKeys(str(file)).lookup("[::1]:2222")
    assert keys
    assert keys["ssh-ed25519"].asbytes() == ONE.blob


def test_the_fingerprint_is_that_of_openssh(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(line("x", ONE).split(" ", 1)[1])
    told = subprocess.run(["ssh-keygen", "-lf", str(file)], capture_output=True, text=True)
    assert told.stdout.split()[1] == ONE.fingerprint


def test_other_lines_stay_as_they_are() -> None:
    odd = "# who compared: ann\r\n\n@revoked * ssh-rsa AAAA\nbroken\n\tweb-9  ssh-rsa  AAAAB3 x y\n"
    text = odd + line("web-1", ONE, " ann@laptop") + line("web-2", OTHER) + "# end"
    added = known_hosts.added(text, "web-3", [THIRD])
    assert added == text + "\n" + line("web-3", THIRD)
    assert known_hosts.added(added, "web-3", [THIRD]) == added
    assert known_hosts.removed(added, "web-1") == added.replace(
        line("web-1", ONE, " ann@laptop"), ""
    )


def test_a_line_keeps_its_other_names() -> None:
    text = line("web-1,198.18.0.11", ONE, " note")
    assert known_hosts.removed(text, "web-1") == line("198.18.0.11", ONE, " note")


def test_some_keys_of_a_host() -> None:
    text = line("web-1", ONE) + line("web-1", OTHER)
    assert known_hosts.removed(text, "web-1", [ONE]) == line("web-1", OTHER)


def test_a_marked_line_is_no_pin() -> None:
    assert known_hosts.pinned("@revoked " + line("web-1", ONE), "web-1") == ()
    assert known_hosts.pinned("@cert-authority " + line("web-1", ONE), "web-1") == ()


@pytest.mark.parametrize(
    "pins, shown, found",
    [
        ([], [ONE], Verdict.NEW),
        ([ONE], [ONE, RSA], Verdict.KNOWN),
        ([ONE, OTHER], [OTHER], Verdict.KNOWN),
        ([ONE], [OTHER], Verdict.CHANGED),
        ([ONE, RSA], [OTHER, RSA], Verdict.CHANGED),
        ([ONE], [RSA], Verdict.CHANGED),
    ],
    ids=["new", "known", "either", "changed", "one-of-two", "of-another-type"],
)
def test_verdicts(pins: list[HostKey], shown: list[HostKey], found: Verdict) -> None:
    assert verdict(pins, shown) is found


def test_a_fingerprint_proves_its_own_key_alone() -> None:
    assert proven([RSA, ONE], ONE.fingerprint) == ONE
    assert proven([RSA, ONE], OTHER.fingerprint) is None
