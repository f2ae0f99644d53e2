"""What the user says of the check for drift."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from roles.drift.ignore import IgnoreRule
from roles.drift.interval import times
from roles.maintenance.spec import seconds
from roles.run.model import Data

_PLAIN = re.compile(r"[A-Za-z0-9/._+@=,-]+")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


def is_plain(path: str) -> bool:
    """Whether a path means itself in a unit of systemd's, in a crontab and in a shell."""
    return bool(_PLAIN.fullmatch(path)) and not path.startswith("-") and ".." not in path.split("/")


def _plain(path: str) -> str:
    if not is_plain(path):
        raise ValueError(
            "expected a path of letters, digits and / . _ + @ = , - that does not start with '-' "
            f"and goes through no '..', found '{path}'"
        )
    return path.rstrip("/")


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"expected a path that starts with '/', found '{path}'")
    if not path.strip("/"):
        raise ValueError(f"expected a path below '/', found '{path}'")
    return path


def _textfile(path: str) -> str:
    if not path.endswith(".prom"):
        raise ValueError(
            f"expected a path that ends in '.prom': the collector reads no other, found '{path}'"
        )
    return path


def _account(name: str) -> str:
    if name == "root" or not _NAME.fullmatch(name):
        raise ValueError(
            "expected the name of an account, other than root's: up to 31 of a-z, 0-9, '_' and '-' "
            f"that start with a letter, found '{name}'"
        )
    return name


def _login(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9._@-]*", name):
        raise ValueError(f"expected the name of an account, found '{name}'")
    return name


def _interval(value: str) -> str:
    times(value)
    return value


def _duration(value: str) -> str:
    seconds(value)
    return value


PlainPath = Annotated[str, AfterValidator(_plain)]
PlainAbsolute = Annotated[str, AfterValidator(_absolute), AfterValidator(_plain)]
Duration = Annotated[str, AfterValidator(_duration)]


class ScheduleSpec(Data):
    """The check that the control machine makes by itself; deploy/schedule_drift.py installs it."""

    state: Literal["present", "absent"] = "present"
    """`absent` takes the schedule away, and leaves the account, its key and the history."""
    purge: bool = False
    """Whether `absent` takes these away, too."""
    inventory: PlainPath = "inventories/prod.py"
    """A relative path starts in the project's folder, as do all others here."""
    interval: Annotated[str, AfterValidator(_interval)] = "1h"
    splay: Duration | None = "5m"
    """Up to how long after its time a check begins, by chance. None: at once."""
    timeout: Duration = "30m"
    """When a check that has not ended is ended."""
    user: Annotated[str, AfterValidator(_account)] = "dockyard-drift"
    """The account on this machine that checks; it is made, without any right."""
    ssh_user: Annotated[str, AfterValidator(_login)] | None = None
    """As whom it logs in on the hosts, whatever the inventory says. None: its own name."""
    directory: PlainAbsolute = "/var/lib/dockyard-drift"
    """The account's home: its key, its known_hosts, and the history."""
    known_hosts: PlainPath | None = None
    """Where its known_hosts is copied from. None: inventories/known_hosts, else root's own."""
    keep: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """How many reports the history keeps at the most."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    textfile: Annotated[PlainAbsolute, AfterValidator(_textfile)] | None = None
    """What the textfile collector of Prometheus' node exporter is to read."""
    hook: PlainAbsolute | None = None
    """A program that is called when something has come to differ, or does no more."""

    @model_validator(mode="after")
    def _fits(self) -> ScheduleSpec:
        if self.splay and self.splay_s >= seconds(self.interval):
            raise ValueError(
                f"expected a splay that is shorter than the interval ({self.interval}), "
                f"found '{self.splay}'"
            )
        if self.purge and self.state != "absent":
            raise ValueError(
                "expected state 'absent' beside purge, found 'present'; it removes the history"
            )
        return self

    @property
    def splay_s(self) -> int:
        return seconds(self.splay) if self.splay else 0

    @property
    def timeout_s(self) -> int:
        return seconds(self.timeout)

    @property
    def login(self) -> str:
        return self.ssh_user or self.user


class DriftSpec(Data):
    """What group_data says under the key `drift`."""

    ignore: list[IgnoreRule] = Field(default_factory=list)
    """What is known and borne for a while."""
    schedule: ScheduleSpec = ScheduleSpec()
    """When the control machine checks by itself."""
