"""Whether a check can be scheduled on the control machine, and what is scheduled there. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from roles.drift.machine import WITH_CRON, Machine, Place
from roles.drift.spec import ScheduleSpec, is_plain
from roles.run.problems import Problem

NAME = "dockyard-drift"
NOLOGIN = "/usr/sbin/nologin"
HIDDEN = ("/tmp", "/var/tmp", "/dev", "/proc", "/run/user")
"""What the service does not see, or sees another of."""
KEY = "drift.schedule"
LONGEST = 900
"""Of a command: what cron takes of a variable, and some signs for its name."""


@dataclass(frozen=True)
class Files:
    """What the account has in its home."""

    home: str

    @property
    def key(self) -> str:
        return f"{self.home}/.ssh/id_ed25519"

    @property
    def public_key(self) -> str:
        return f"{self.key}.pub"

    @property
    def known_hosts(self) -> str:
        return f"{self.home}/.ssh/known_hosts"


def command(spec: ScheduleSpec, place: Place) -> list[str]:
    """The words of the check; none has a sign that a shell, cron or systemd would take apart."""
    words = [f"{place.programs}/dockyard", "drift", place.path(spec.inventory)]
    words += ["--record", spec.directory]
    words += ["--keep", str(spec.keep), "--keep-days", str(spec.keep_days)]
    words += ["--textfile", spec.textfile] if spec.textfile else []
    words += ["--hook", spec.hook] if spec.hook else []
    login = (f"{key}={value}" for key, value in _login(spec).items())
    return [*words, *(word for each in login for word in ("--data", each))]


def _login(spec: ScheduleSpec) -> dict[str, str]:
    """How it logs in on every host, over what the inventory says."""
    files = Files(spec.directory)
    return {
        "ssh_user": spec.login,
        "ssh_key": files.key,
        "ssh_known_hosts_file": files.known_hosts,
        "ssh_strict_host_key_checking": "yes",
    }


def writable(spec: ScheduleSpec) -> list[str]:
    """All that the check may write."""
    folder = [str(PurePath(spec.textfile).parent)] if spec.textfile else []
    return [spec.directory, *folder]


def known_hosts_source(spec: ScheduleSpec, machine: Machine, place: Place) -> str | None:
    """What the account's known_hosts is copied from; None where there is nothing."""
    if spec.known_hosts:
        return place.path(spec.known_hosts)
    return next(iter(machine.known_hosts), None)


def check(host: str, spec: ScheduleSpec, machine: Machine, place: Place) -> list[Problem]:
    """What forbids it."""
    if machine.user_id != 0:
        text = "only root makes accounts and schedules; run it as root, or add --sudo"
        return [Problem(host, "root", text)]
    found = _going(spec, machine) if spec.state == "absent" else _coming(spec, machine, place)
    return [Problem(host, f"{KEY}.{key}".rstrip("."), text) for key, text in found]


def _going(spec: ScheduleSpec, machine: Machine) -> Iterator[tuple[str, str]]:
    if spec.purge:
        yield from _account(spec, machine)


def _coming(spec: ScheduleSpec, machine: Machine, place: Place) -> Iterator[tuple[str, str]]:
    if not (machine.has_systemd or machine.has_cron):
        yield "", "neither systemd runs here nor is there /etc/cron.d; install cron"
    needed = [p for p in machine.missing if not machine.has_systemd or p not in WITH_CRON]
    if needed:
        yield "", f"not installed here: {', '.join(needed)}; install what brings them"
    yield from _account(spec, machine)
    places = list(_places(spec, place))
    yield from places
    if not machine.has_systemd and len(" ".join(command(spec, place))) > LONGEST:
        text = f"the command has more than {LONGEST} signs, and cron cuts it; shorten the paths"
        yield "", text
    if not places:
        yield from _access(spec, machine, place)


def _account(spec: ScheduleSpec, machine: Machine) -> Iterator[tuple[str, str]]:
    """Nobody's account or folder is taken over, nor taken away."""
    home, owner = machine.account_home, machine.directory_owner
    if home is not None and home != spec.directory:
        yield (
            "user",
            f"there is an account '{spec.user}' whose home is {home}, not {spec.directory}; "
            f"name another account, or give it that home: usermod -d {spec.directory} {spec.user}",
        )
    if owner is not None and owner != spec.user:
        yield (
            "directory",
            f"{spec.directory} is there and belongs to {owner}, not to {spec.user}; "
            "name a folder that is not there yet",
        )


def _places(spec: ScheduleSpec, place: Place) -> Iterator[tuple[str, str]]:
    """Paths that the service would not find."""
    for own in dict.fromkeys((place.project, place.programs)):
        if not is_plain(own):
            yield (
                "",
                f"the path of this project, '{own}', has signs that cron or systemd take for "
                "their own; move it to a path of letters, digits and / . _ + @ = , -",
            )
    named = {
        "": place.project,
        "inventory": place.path(spec.inventory),
        "directory": spec.directory,
        "textfile": spec.textfile,
        "hook": spec.hook,
    }
    for key, path in named.items():
        above = next((h for h in HIDDEN if path and PurePath(path).is_relative_to(h)), None)
        if above:
            what = key or "project"
            text = f"{path}: the service has a {above} of its own; have the {what} elsewhere"
            yield key, text


def _access(spec: ScheduleSpec, machine: Machine, place: Place) -> Iterator[tuple[str, str]]:
    if machine.unreadable:
        yield (
            "user",
            f"the account '{spec.user}' can't read the project in {place.project}, or its Python "
            f"packages in {place.packages or place.programs}: {machine.unreadable}; have it where "
            "every account may read, such as /opt/dockyard, or let it: chmod -R o+rX",
        )
    inventory = place.path(spec.inventory)
    if machine.inventory == "absent":
        yield "inventory", f"{inventory} is no file; name the inventory that is to be checked"
    elif machine.inventory:
        yield (
            "inventory",
            f"the account '{spec.user}' can't load {inventory}; let it read all that this reads, "
            f"and mend what is wrong: {machine.inventory}",
        )
    if spec.textfile:
        yield from _textfile(spec, machine, str(PurePath(spec.textfile).parent))
    if machine.hook == "absent":
        yield "hook", f"{spec.hook} is no file; make it, or leave it away"
    elif machine.hook:
        yield (
            "hook",
            f"the account '{spec.user}' can't run {spec.hook}; let it: chmod o+rx {spec.hook}",
        )


def _textfile(spec: ScheduleSpec, machine: Machine, folder: str) -> Iterator[tuple[str, str]]:
    """A folder of others' is not opened by us: who may write there is for its owner to say."""
    if machine.textfile == "absent":
        yield "textfile", f"{folder} is no folder; name the one that the node exporter reads"
    elif machine.textfile:
        make = f"useradd --system --no-create-home --home-dir {spec.directory} --shell {NOLOGIN}"
        first = f"{make} {spec.user}; " if machine.account_home is None else ""
        yield (
            "textfile",
            f"the account '{spec.user}' can't write in {folder}; let it: {first}"
            f"chgrp {spec.user} {folder}; chmod g+rwx {folder}",
        )
