"""A host's own settings, step by step. Each host is by itself: all are set up at once."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator

from pyinfra import host, logger, state
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.operations import server

from roles.access import login
from roles.host_setup import proof
from roles.host_setup.change import ACCOUNT, LOCK, ROLE, SYSTEM, Kind, SetupChange
from roles.host_setup.commands import Step, give_keys
from roles.host_setup.plan import changes
from roles.observed import channel
from roles.observed.channel import RemoteError
from roles.run import options
from roles.run.current import current_fleet
from roles.run.fleet import Member
from roles.run.report import done


@operation()
def account() -> Generator[PyinfraCommand, None, None]:
    """Have the operations user, its keys and its right to become root."""
    member = current_fleet(state)[host.name]
    for change in _changes(member, ACCOUNT):
        if change.kind == "user":
            yield from _user(member)
        yield from _steps(change)
        done(state, change)


@operation()
def locks(is_new: bool) -> Generator[PyinfraCommand, None, None]:
    """Take other ways in away, once the ordinary login has been seen to work.

    `is_new` where this run has changed that login, by another: then it is tried in any case.
    """
    member = current_fleet(state)[host.name]
    user = member.wanted.host_setup.user
    found = list(_changes(member, LOCK))
    if found or is_new:
        locks_passwords = bool(found and user and user.lock_passwords)
        yield FunctionCommand(proof.prove, (locks_passwords,), {})
    for change in found:
        yield from _steps(change)
        if change.kind == "others" and user:
            yield FunctionCommand(keep_or_put_back, (user.name,), {})
        done(state, change)


@operation()
def system() -> Generator[PyinfraCommand, None, None]:
    """Have the host itself as it is wanted."""
    member = current_fleet(state)[host.name]
    for change in _changes(member, SYSTEM):
        yield from _steps(change)
        done(state, change)


def is_login_new(host: Host, member: Member) -> bool:
    """Whether this run takes a host in whose ordinary login is not known to work.

    Also where nothing of the account differs any more: a run before may have ended at the proof.
    """
    differs = any(True for _ in _changes(member, ACCOUNT))
    return options.current().bootstraps and (differs or login.entered_once(host))


def keep_or_put_back(state: State, host: Host, user: str) -> bool:
    """Prove the login again, now that a user's other keys are gone; else have them back.

    Over the connection that is still open; False ends the host's run, with the reason told.
    """
    if (why := login.prove(state, host)) is None:
        return run_step(state, host, give_keys(user, "proven"))
    is_back = run_step(state, host, give_keys(user, "back"))
    kept = "~/.ssh/authorized_keys.dockyard-old"
    outcome = (
        "so the keys that were there before are back"
        if is_back
        else f"and the keys that were there before could not be put back: move {kept} of {user} "
        "over authorized_keys by the console, or by a login that is still open"
    )
    logger.error(
        f"{host.name}: {ROLE}.user.exclusive: the ordinary login does not work by the keys of "
        f"{ROLE}.user alone, {outcome}; name the inventory's own key (ssh_key) among them: {why}"
    )
    return False


def _changes(member: Member, kinds: Collection[Kind]) -> Iterator[SetupChange]:
    """None of a host that the run leaves alone."""
    if member.in_limit:
        yield from (change for change in changes(member) if change.kind in kinds)


def _user(member: Member) -> Iterator[PyinfraCommand]:
    user = member.wanted.host_setup.user
    assert user
    found = member.observed.setup.accounts.get(user.name)
    yield from server.user._inner(
        user=user.name,
        uid=user.uid,
        shell=user.shell,
        home=found.home if found else None,
        create_home=found is None,
        ensure_home=False,
    )


def _steps(change: SetupChange) -> Iterator[PyinfraCommand]:
    for step in change.steps:
        yield FunctionCommand(run_step, (step,), {})


def run_step(state: State, host: Host, step: Step) -> bool:
    """Run one step on the host; where it fails, say why."""
    try:
        channel.run(
            state,
            host,
            list(step.words),
            stdin=step.stdin,
            timeout_s=step.timeout_s,
            called=step.called,
        )
    except RemoteError as error:
        logger.error(f"{host.name}: {ROLE}: {error}")
        return False
    return True
