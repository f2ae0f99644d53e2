"""A host with what is wanted of itself, as it was read, and as it is once all was done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from roles.host_setup.plan import changes, check
from roles.observed import Account, HomePath, Observed, Path, Setup, Sudoers
from roles.run.fleet import Member
from tests.unit.build import bare, fleet, member

ANN_BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAICLlDSCpqNi+rB7m+Uu5XiJtAs+YAMYWwaGuo1uMdFKQ"
BOB_BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIOl5vgA5AZQpZXeSTdGzRNaqT7qr3E5Y9Kx3vRok268M"
ANN = f"ssh-ed25519 {ANN_BLOB} ann@laptop"
BOB = f"ssh-ed25519 {BOB_BLOB} bob"
REGULAR = Path("regular file", "0:0", "644")
SYSTEM_PATHS = ("/bin/bash", "/usr/sbin/sshd")
PLACES = {
    "/home/ops": HomePath("directory", 1001, 0o750),
    "/home/ops/.ssh": HomePath("directory", 1001, 0o700),
    "/home/ops/.ssh/authorized_keys": HomePath("regular file", 1001, 0o600),
}


def user(**more: Any) -> dict[str, Any]:
    return {"user": {"name": "ops", "keys": [ANN], **more}}


def ops(**more: Any) -> Account:
    made = Account("ops", 1001, "/home/ops", "/bin/bash", True, (ANN,), PLACES)
    return replace(made, **more)


def host(
    wanted: Mapping[str, Any],
    setup: Setup | None = None,
    files: Mapping[str, bytes] | None = None,
    paths: Iterable[str] = SYSTEM_PATHS,
    **observed: Any,
) -> Member:
    """A Debian host; `files` are what stands there of what is asked for, `paths` what exists."""
    sums = {path: sha256(content).hexdigest() for path, content in (files or {}).items()}
    found: Observed = bare(
        setup=setup or Setup(),
        sums=sums,
        paths={**dict.fromkeys(paths, REGULAR), **observed.pop("modes", {})},
        **observed,
    )
    return member("app-1", observed=found, host_setup=dict(wanted))


def planned(found: Member) -> list[str]:
    return [str(one).removeprefix("app-1: host_setup: ") for one in changes(found)]


def gaps(found: Member) -> list[tuple[str, str, str]]:
    return [(gap.path, gap.wanted, gap.found) for one in changes(found) for gap in one.gaps]


def told(found: Member) -> list[str]:
    return [str(problem).removeprefix("app-1: host_setup.") for problem in check(fleet(found))]


GOOD_SUDO = Sudoers(is_installed=True)
SAID_NO = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "usepam": "yes",
    "include": "yes",
}
SAID_YES = {**SAID_NO, "passwordauthentication": "yes"}
