"""Look at everything before anything is changed anywhere.

All hosts are connected and read at once, all data is validated, all checks run. Every problem of
every host is shown together, and ends the run; else every change is shown, as it will be made.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Literal, Protocol

from gevent.lock import BoundedSemaphore
from pyinfra import logger
from pyinfra.api import DeployError, Host, State
from pyinfra.context import ctx_state

from roles.access.login import entered_once, has_ordinary_sudo, ordinary_user
from roles.docker_engine import plan as docker_engine
from roles.docker_engine.rehearsal import rehearse
from roles.host_check import plan as host_check
from roles.host_setup import plan as host_setup
from roles.host_setup import proof
from roles.images import plan as images
from roles.observed import Observed
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.release import plan as release
from roles.run import asked, away, busy, conflicts, lease, moving, options, report
from roles.run.changes import Change
from roles.run.connecting import briefly, is_no_login, is_other_key, unreached
from roles.run.current import is_surveyed, remember, surveyed_fleet
from roles.run.fleet import Fleet
from roles.run.problems import Problem, Refused
from roles.run.reading import Reading, read
from roles.run.wanted import Wanted
from roles.run.wishes import Wishes, said
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine


class Role(Protocol):
    """A role's plan module: what forbids the role, and what it would change."""

    def check(self, fleet: Fleet) -> list[Problem]: ...

    def plan(self, fleet: Fleet) -> list[Change]: ...


Moves = Literal["joining", "leaving"]
"""What the hosts of the limit do."""

SYSTEM: tuple[Role, ...] = (
    host_setup,
    docker_engine,
    images,
    registry,
    soa_engine,
    proxy,
    sdk,
    release,
)
"""The whole service system, in the order in which deploy/soa.py composes the roles."""

_lock = BoundedSemaphore()


def survey(
    roles: tuple[Role, ...] = SYSTEM,
    wishes: Wishes = said,
    *,
    with_drained: bool = False,
    moves: Moves | None = None,
) -> None:
    """Survey the whole inventory, once; to be called first in a deploy file.

    `roles` are those that the deploy file composes, in its order; `wishes` tells what is wanted. A
    drained host is left out, unless `with_drained`. `moves` says that the limit's hosts join the
    fleet, or leave it: who has to be told of other registry servers is in the limit then, too.

    Raises:
        DeployError: the run is refused; carries every problem.
        SystemExit: nothing is to be changed, and pyinfra would only ask whether to do it (0).
    """
    state = ctx_state.get()
    with _lock:
        if is_surveyed(state):
            _announce(state, surveyed_fleet(state), roles)
            return
        try:
            fleet = _survey(state, roles, wishes, with_drained or moves == "leaving", moves)
        except Refused as refused:
            found = report.counted(len(refused.problems), "problem")
            raise DeployError(f"{found}, and nothing was changed:\n{refused}") from None
        remember(state, fleet)
        _announce(state, fleet, roles)
        changes = [change for role in roles for change in role.plan(fleet)]
        report.warned(host_check.warnings(fleet, _host_checks(roles)))
        report.planned(changes, len(fleet.members))
        given = options.current()
        if given.asks and not changes and len(given.deploys) == 1:
            sys.exit(0)
        if given.asks and not options.has_terminal():
            raise DeployError("there is no terminal to ask on; add -y, or --dry to look only")


def _survey(
    state: State, roles: tuple[Role, ...], wishes: Wishes, with_drained: bool, moves: Moves | None
) -> Fleet:
    problems = list(_refused_options())
    reading = read(state, wishes, to_act=True)
    _refuse_leased(reading.observed)
    fleet = reading.fleet
    problems += [*reading.unread, *reading.wrong, *reading.strayed]
    if host_setup in roles:
        problems += _without_a_login(reading.wanted)
    absent = away.known_away(state, fleet)
    problems += _unreachable_problems(reading, absent, moves)
    fleet = away.marked(fleet, absent)
    fleet = fleet if with_drained else away.left_out(fleet)
    fleet = fleet.without_limited() if moves == "leaving" else fleet
    fleet, told = moving.widened(fleet) if moves else (fleet, frozenset())
    problems += [*host_check.check(fleet, _host_checks(roles)), *conflicts.check(fleet)]
    problems += asked.check(fleet, roles, options.current().deploys)
    problems += [problem for role in roles for problem in role.check(fleet)]
    problems += proof.unprovable(state, fleet) if host_setup in roles else ()
    if docker_engine in roles:
        fleet, wrong = rehearse(state, fleet, without={problem.host for problem in problems})
        problems += wrong
    if told and not problems:
        planned = [change for role in roles for change in role.plan(fleet)]
        problems += moving.beyond(fleet, told, planned)
    if problems:
        raise Refused(problems)
    if told:
        named = ", ".join(sorted(told))
        logger.info(f"--> Outside the limit, and told the registry's new addresses too: {named}")
    return fleet


def _without_a_login(wanted: Mapping[Host, Wanted]) -> Iterator[Problem]:
    """A new host has to let the inventory's login in, or it is lost when this run is over."""
    for host, its in wanted.items():
        if not entered_once(host):
            continue
        made, user = its.host_setup.user, ordinary_user(host)
        if made is None:
            yield Problem(
                host.name,
                "host_setup.user",
                f"the inventory's own login, as {user}, does not work there yet, and nothing says "
                "that it shall; say it in group_data/all.py: host_setup = "
                f'{{"user": {{"name": "{user}", "keys": ["ssh-ed25519 AAAA... you"]}}, ...}}',
            )
        elif made.name != user:
            yield Problem(
                host.name,
                "host_setup.user.name",
                f"the inventory's own login, as {user}, does not work there yet, and the user that "
                f"is made there is {made.name}: {user} would still not be let in; have the "
                f'inventory log in as that one ("ssh_user": "{made.name}"), or name {user} here',
            )
        elif user != "root" and not has_ordinary_sudo(host):
            text = f'the inventory logs in as {user}, who is not root; say "_sudo": True beside it'
            yield Problem(host.name, "_sudo", text)


def _announce(state: State, fleet: Fleet, roles: tuple[Role, ...]) -> None:
    plans = [role.plan for role in roles]
    lease.announce(state, fleet, plans, " ".join(options.current().deploys))


def _refuse_leased(observed: Mapping[Host, Observed]) -> None:
    """Where another deploys nothing else is told: what was read may be half of a change.

    Also what was read of records, or a host's address, and made no wish, or no member, of it.
    Who only looks may do so, but is told that what is seen is about to change.
    """
    found = busy.check({host.name: its.lease for host, its in observed.items()})
    if found and not options.current().dry:
        raise Refused(found)
    for problem in found:
        logger.warning(str(problem))


def _host_checks(roles: tuple[Role, ...]) -> Collection[str]:
    """What is not installed or deployed needs no fit host: an engine stops on a full disk, too."""
    needs_fit = any(role in SYSTEM and role is not host_setup for role in roles)
    return host_check.CHECKS if needs_fit else host_check.ALWAYS


def _refused_options() -> Iterator[Problem]:
    given = options.current()
    order = "the rollout decides the order of hosts; leave it away"
    if given.serial:
        yield Problem(None, "--serial", order)
    if given.no_wait:
        yield Problem(None, "--no-wait", order)
    if given.retry:
        yield Problem(None, "--retry", "a step that failed is looked at first; leave it away")
    if given.fail_percent:
        yield Problem(None, "--fail-percent", "a deploy ends at the first failure; leave it away")


def _unreachable_problems(
    reading: Reading, absent: Collection[str], moves: Moves | None
) -> Iterator[Problem]:
    """Hosts that can't be reached are left out only where the data allows that many.

    Never one with another key: it may be another host. Never a server of our registry: without its
    address every container would be told another list. Those `absent` are known to be drained.
    """
    allowed = max((w.rollout.max_unreachable for w in reading.wanted.values()), default=0)
    missed = [host for host in reading.unreachable if host.name not in absent]
    for host, why in reading.unreachable.items():
        if is_other_key(why):
            yield Problem(host.name, "connection", unreached(host.name, why))
        elif moves == "leaving" and host.state.is_host_in_limit(host):
            text = (
                "can't be reached, so it can't be emptied; mend that, or, where it is dead for "
                f"good, `dockyard hostkeys forget {host.name}`, delete its lines from the host "
                "list, then deploy/soa.py"
            )
            yield Problem(host.name, "connection", f"{text}: {why}")
        elif "registry" in host.groups:
            text = f"{briefly(why)}, and every container is told its address; mend that: {why}"
            yield Problem(host.name, "connection", text)
        elif host in missed and len(missed) > allowed:
            count = len(missed)
            go_on = f"--data rollout.max_unreachable={count}"
            mend = " or take it in (dockyard bootstrap)," if is_no_login(why) else ""
            text = f"{briefly(why)}; mend that,{mend} or go on without by {go_on}"
            yield Problem(host.name, "connection", f"{text} (it is {allowed}): {why}")
        else:
            host.state.failed_hosts.discard(host)  # it is allowed, so it does not fail the run
            known = "" if host in missed else ", is drained"
            away.warn_twice(f"{host.name} {briefly(why)}{known} and is left out: {why}")
