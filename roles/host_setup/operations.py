"""A host's own settings, step by step. Each host is by itself: all are set up at once."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator

from pyinfra import host, logger, state
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.operations import server

from roles.host_setup import proof
from roles.host_setup.change import ACCOUNT, LOCK, ROLE, SYSTEM, Kind, SetupChange
from roles.host_setup.commands import Step
from roles.host_setup.plan import changes
from roles.observed import channel
from roles.observed.channel import RemoteError
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
        done(state, change)


@operation()
def system() -> Generator[PyinfraCommand, None, None]:
    """Have the host itself as it is wanted."""
    member = current_fleet(state)[host.name]
    for change in _changes(member, SYSTEM):
        yield from _steps(change)
        done(state, change)


def account_differs(member: Member) -> bool:
    return any(True for _ in _changes(member, ACCOUNT))


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
