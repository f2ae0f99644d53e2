"""Send hosts away, have them back, reboot them: one after the other, by the conductor."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

import gevent
from pyinfra.api import FunctionCommand, Host, State
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError

from roles.docker_engine.rollout import aside_of, others_are_ready, running_parts
from roles.maintenance import drain, reboot, undrain
from roles.maintenance.leave import Leaving
from roles.observed import channel, forget, observe
from roles.observed.parse import ProbeError
from roles.registry.rollout import leader_last
from roles.run.changes import Change
from roles.run.conductor import Away, Treatment, conduct, nobody_is_aside, wait_until
from roles.run.current import current_fleet
from roles.run.fleet import Fleet, Member
from roles.run.lease import lasting

ASK_S = 20
AGAIN_S = 1
REBOOT_S = 600
"""How long a host may take from its going down to its engine's answer."""

_BOOT_ID = ["cat", "/proc/sys/kernel/random/boot_id"]
_REBOOT = "nohup sh -c 'sleep 1; systemctl reboot' >/dev/null 2>&1 &"
"""A moment later, so that the answer still gets through."""


@dataclass(frozen=True)
class HostRollout:
    """What is done to whole hosts."""

    plan: Callable[[Fleet], list[Change]]
    treat: Callable[[State, Fleet, Member, Change], Treatment]
    interrupts: bool = False
    """Whether the parts of a host go down with it."""

    def commands(self, state: State) -> Generator[PyinfraCommand, None, None]:
        """What the operation yields; to be called with `_run_once`."""
        if self.plan(current_fleet(state)):
            yield FunctionCommand(self._conduct, (), {})

    def _conduct(self, state: State, host: Host) -> bool:
        fleet = current_fleet(state)
        changes = {change.host: change for change in self.plan(fleet)}
        members = [m for m in leader_last(state, fleet, list(fleet)) if m.name in changes]
        treatments = [self.treat(state, fleet, m, changes[m.name]) for m in members]
        if self.interrupts and not others_are_ready(state, fleet, treatments):
            return False
        pace = fleet.members[0].wanted.rollout.one_by_one
        done = conduct(state, treatments, pace, len(fleet.members))
        for treatment in treatments:
            forget(treatment.host)
        return done


def _sent_away(state: State, fleet: Fleet, member: Member, change: Change) -> Treatment:
    leaving = Leaving(state, fleet, member)
    wish, before = member.wanted.drain, member.drained
    assert wish is not None, "the survey refuses a drain without a reason"

    def take_back(away: Away) -> str:
        if before:
            leaving.stay_away(before)
            return "it is drained as before"
        leaving.end()
        return "it is in service again"

    def prove_back() -> None:
        if not before:
            leaving.prove_back()

    return Treatment(
        host=leaving.host,
        changes=(change,),
        aside=nobody_is_aside,
        apply=lambda away: leaving.begin(drain.drained(wish, member)),
        prove=lambda: None,
        take_back=take_back,
        prove_back=prove_back,
    )


def _called_back(state: State, fleet: Fleet, member: Member, change: Change) -> Treatment:
    leaving = Leaving(state, fleet, member)
    return Treatment(
        host=leaving.host,
        changes=(change,),
        aside=nobody_is_aside,
        apply=lambda away: leaving.end(),
        prove=leaving.prove_back,
    )


def _rebooted(state: State, fleet: Fleet, member: Member, change: Change) -> Treatment:
    host = state.inventory.get_host(member.name)
    parts = running_parts(member)

    def prove() -> None:
        for part, instance in parts:
            part.prove(state, fleet, member, instance)

    return Treatment(
        host=host,
        changes=(change,),
        aside=partial(aside_of, state, fleet, member, parts),
        apply=lambda away: _reboot_leased(state, host, member),
        prove=prove,
    )


def _reboot_leased(state: State, host: Host, member: Member) -> None:
    with lasting(state, host, REBOOT_S):
        _reboot(state, host, member)


def _reboot(state: State, host: Host, member: Member) -> None:
    """Reboot a host; return when it answers again, and its engine where it had one that ran.

    Its containers stop and start with it: the engine gives each the time that it may take.
    """
    before = channel.run(state, host, _BOOT_ID, timeout_s=ASK_S).text
    host.log("rebooting")
    channel.run(state, host, _REBOOT, timeout_s=ASK_S)
    is_engine_wanted = member.observed.docker_version is not None

    def missing() -> str | None:
        try:
            if _boot_id(state, host) == before:
                return "it has not gone down yet"
            forget(host)
            answers = observe(state, host).docker_version is not None
        except (channel.RemoteError, ProbeError, ConnectError, OSError) as error:
            return f"it does not answer: {error}"
        return "its Docker engine does not answer yet" if is_engine_wanted and not answers else None

    wait_until(host, missing, REBOOT_S)


def _boot_id(state: State, host: Host) -> str:
    try:
        return channel.run(state, host, _BOOT_ID, timeout_s=ASK_S).text
    except channel.RemoteError:
        gevent.sleep(AGAIN_S)
        host.connector.connect()
        return channel.run(state, host, _BOOT_ID, timeout_s=ASK_S).text


DRAIN = HostRollout(drain.plan, _sent_away)
UNDRAIN = HostRollout(undrain.plan, _called_back)
REBOOT = HostRollout(reboot.plan, _rebooted, interrupts=True)
