"""The control machine, as the schedule finds it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyinfra.api import Host, State

from roles.drift.spec import ScheduleSpec
from roles.observed import channel

PROJECT = Path(__file__).parents[2]
SCRIPT = (Path(__file__).parent / "shell" / "machine.sh").read_text()
READ_S = 180
ALWAYS = ("setpriv", "ssh-keygen", "useradd", "usermod", "userdel")
WITH_CRON = ("awk", "flock", "logger", "od", "timeout")


@dataclass(frozen=True)
class Place:
    """Where things are on the control machine; absolute paths."""

    project: str
    programs: str
    """The folder with `dockyard` and `pyinfra`."""
    packages: str | None
    """The virtual environment; None for the system's own Python."""

    def path(self, told: str) -> str:
        """A relative path starts in the project's folder."""
        return str(Path(self.project, told))


def this_place() -> Place:
    """Where the running Dockyard is."""
    is_own = sys.prefix != sys.base_prefix
    return Place(str(PROJECT), str(Path(sys.executable).parent), sys.prefix if is_own else None)


@dataclass(frozen=True)
class Machine:
    """What was read of it."""

    user_id: int
    has_systemd: bool = False
    has_cron: bool = False
    missing: tuple[str, ...] = ()
    """Programs that are needed, and not there; also those that only a schedule by cron needs."""
    account_home: str | None = None
    """None where there is no such account yet."""
    directory_owner: str | None = None
    """None where there is no such directory yet."""
    known_hosts: tuple[str, ...] = ()
    """The files that it may be copied from, the best first."""
    unreadable: str | None = None
    """What of the project or of the Python packages the account can't read."""
    inventory: str | None = None
    """`absent`, or why the account can't load it; None: it can."""
    textfile: str | None = None
    """Of its folder: `absent`, or `closed` to the account."""
    hook: str | None = None
    """`absent`, or `closed` to the account."""


def read_machine(state: State, host: Host, spec: ScheduleSpec, place: Place) -> Machine:
    """Look at the machine, and change nothing.

    Raises:
        RemoteError: it can't be looked at.
    """
    words = [
        spec.user,
        spec.directory,
        place.project,
        place.packages or "",
        f"{place.programs}/pyinfra",
        place.path(spec.inventory),
        str(Path(spec.textfile).parent) if spec.textfile else "",
        spec.hook or "",
        *ALWAYS,
        *WITH_CRON,
    ]
    found = channel.run(
        state,
        host,
        ["sh", "-c", SCRIPT, "machine", *words],
        timeout_s=READ_S,
        called="looking at this machine",
    )
    return parse_machine(found.text.splitlines())


def parse_machine(lines: Iterable[str]) -> Machine:
    """Read what shell/machine.sh prints."""
    told: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        told.setdefault(key, []).append(value.strip())

    def first(key: str) -> str | None:
        return next(iter(told.get(key, ())), None)

    return Machine(
        user_id=int(first("user_id") or -1),
        has_systemd=first("init") == "systemd",
        has_cron="cron" in told,
        missing=tuple(told.get("missing", ())),
        account_home=first("account_home"),
        directory_owner=first("directory_owner"),
        known_hosts=tuple(told.get("known_hosts", ())),
        unreadable=first("unreadable"),
        inventory=first("inventory"),
        textfile=first("textfile"),
        hook=first("hook"),
    )
