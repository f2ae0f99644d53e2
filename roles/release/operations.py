"""Record what a run has come to, on every host of the fleet."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from functools import partial

from pyinfra import logger, state
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.command import PyinfraCommand

from roles.images.plan import delivered_ids
from roles.observed.channel import RemoteError
from roles.release import store
from roles.release.back import RolledAway, back_changes, left_behind, pins_after
from roles.release.plan import ROLE, is_recorded, pinned, released
from roles.release.record import NAME, Record, Unreadable, kept, new_name, record
from roles.run.changes import Change
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member
from roles.run.report import counted, done, warned_last
from roles.run.who import who

Step = Callable[[Member], None]


@operation()
def release(announced: tuple[Change, ...]) -> Generator[PyinfraCommand, None, None]:
    """Have every host of the fleet say what it runs now. To be called with `_run_once`.

    `announced` are the changes that the survey has told of it.
    """
    if not is_recorded(current_fleet(state)):
        yield FunctionCommand(_record, (announced,), {})


@operation()
def back(rolled_away: tuple[RolledAway, ...]) -> Generator[PyinfraCommand, None, None]:
    """Have the hosts say that they run an earlier release. To be called with `_run_once`.

    `rolled_away` is what ran before, found before anything was changed.
    """
    if back_changes(current_fleet(state), rolled_away):
        yield FunctionCommand(_go_back, (rolled_away,), {})


def now() -> str:
    return datetime.now(UTC).strftime(NAME)


def _record(state: State, host: Host, announced: tuple[Change, ...]) -> bool:
    """Have the hosts keep it, then, when all do, say that they run it."""
    fleet = current_fleet(state)
    known = [name for member in fleet for name in member.observed.releases.kept]
    name = new_name(datetime.now(UTC), known)
    members = [m for m in fleet if m.parts and (m.in_limit or m.observed.releases.current)]
    unusable: set[str] = set()

    def write(member: Member) -> None:
        try:
            found = _recorded(state, fleet, member)
        except Unreadable as why:
            unusable.add(member.name)
            text = f"is left out of release {name}: its record {why}; deploy to it, too"
            logger.warning(f"{member.name} {text}")
        else:
            its = state.inventory.get_host(member.name)
            store.write(state, its, found.renamed(name, who()))

    # One outside the limit may be switched off. Who goes back to the release is told that it lacks.
    needed = {member.name for member in members if member.in_limit}
    for step in (write, partial(_settle, state, fleet, name)):
        failures = _failed(state, members, step)
        if not _told({host: error for host, error in failures.items() if host in needed}):
            return False
        for lacking, error in failures.items():
            logger.warning(f"{lacking}: {ROLE}: has no record of release {name}: {error}")
        members = [m for m in members if m.name not in failures and m.name not in unusable]
    for change in announced:
        done(state, change)
    logger.info(f"--> Recorded as release {name} on {counted(len(members), 'host')}")
    return True


def _recorded(state: State, fleet: Fleet, member: Member) -> Record:
    """What this run has come to on a host; outside the limit, what an earlier one had.

    Raises:
        RemoteError: the host could not be asked.
        Unreadable: what an earlier one had can't be used.
    """
    if member.in_limit:
        parts = released(fleet, member, delivered_ids(fleet))
        return record("", "", parts, member.wanted)
    found = store.read_all(state, state.inventory.get_host(member.name))
    name = found.current or ""
    if name not in found.records:
        raise Unreadable(f"of {name} {found.unreadable.get(name, 'is not there any more')}")
    return found.records[name]


def _settle(state: State, fleet: Fleet, name: str, member: Member) -> None:
    """Lift the pins against what runs now, then say so."""
    host, releases = state.inventory.get_host(member.name), member.observed.releases
    lifted = pinned(fleet, member) if member.in_limit else []
    if lifted:
        store.pin(state, host, [pin for pin in releases.pins if pin not in lifted])
    its = kept(releases.kept, name, releases.current_name)
    store.make_current(state, host, name, its)


def _go_back(state: State, host: Host, rolled_away: tuple[RolledAway, ...]) -> bool:
    fleet = current_fleet(state)
    changes = {change.host: change for change in back_changes(fleet, rolled_away)}
    members = [member for member in fleet if member.name in changes]
    by, at = who(), now()

    def step(member: Member) -> None:
        assert member.released is not None, f"{member.name} goes back to nothing"
        found, name = state.inventory.get_host(member.name), member.released.name
        pins = pins_after(fleet, member, rolled_away, by, at)
        if pins != member.observed.releases.pins:
            store.pin(state, found, pins)
        store.make_current(state, found, name, member.observed.releases.kept)
        done(state, changes[member.name])

    if not _on_all(state, members, step):
        return False
    for text in reversed(left_behind(fleet, rolled_away)):  # what is registered last is told first
        warned_last(text)
    return True


def _on_all(state: State, members: list[Member], step: Step) -> bool:
    """Do a step for many hosts at once; tell where it failed."""
    return _told(_failed(state, members, step))


def _failed(state: State, members: list[Member], step: Step) -> dict[str, RemoteError]:
    """Do a step for many hosts at once; return the errors by host."""
    by_host = {state.inventory.get_host(member.name): member for member in members}
    found = store.each(by_host, lambda host: step(by_host[host]))
    return {host.name: error for host, error in found.items() if error is not None}


def _told(failures: Mapping[str, RemoteError]) -> bool:
    for name, error in failures.items():
        logger.error(f"{name}: {ROLE}: {error}; run again")
    return not failures
