"""Builders for the engine's tests: a member, by what its data says of the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from roles.docker_engine.transaction import Transaction
from roles.observed import Observed
from roles.run.fleet import Member
from tests.unit.build import fitted, member

SUM = "0a" * 32
KEY = "AB" * 20
VENDOR = {"repo_url": "https://packages.example/linux", "fingerprint": KEY}
DEB_VERSION = "5:26.1.5-1~debian.12~bookworm"
ROCKY = {
    "os_id": "rocky",
    "os_version": "9.4",
    "os_like": ("rhel", "centos", "fedora"),
    "os_codename": "",
}


def one(
    observed: Observed,
    engine: dict[str, Any] | None = None,
    in_limit: bool = True,
    rehearsed: Transaction | None = None,
    **changes: Any,
) -> Member:
    """Host `app-1`, with what is said of its engine."""
    found = member("app-1", observed=observed, in_limit=in_limit, docker_engine=engine, **changes)
    return replace(found, rehearsed=rehearsed)


def vendors(version: str = DEB_VERSION, **changes: Any) -> Observed:
    """A host whose engine, Docker's own, runs and is held."""
    packages = {
        "docker-ce": version,
        "docker-ce-cli": version,
        "containerd.io": "1.6.33-1",
    }
    given = {"packages": packages, "held": frozenset(packages), "docker_version": "26.1.5"}
    return fitted(**{**given, **changes})


def files(*names: str, folder: str = "") -> list[dict[str, str]]:
    """What the data says of package files: by URL, or by path in a folder."""
    if folder:
        return [{"path": f"{folder}/{name}", "sha256": SUM} for name in names]
    return [{"url": f"https://files.example/{name}", "sha256": SUM} for name in names]
