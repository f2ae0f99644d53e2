"""Before anything is changed: what each host's package manager would do for its engine.

The lists of packages are read into a directory of their own, which goes again. So a version that
does not exist, an unsigned repository or a package that would have to go is told with every other
problem, and a dry run shows the very versions that a run installs.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from gevent.pool import Pool
from pyinfra.api import State

from roles.docker_engine import commands
from roles.docker_engine.materials import Materials, materials
from roles.docker_engine.need import package_need, target
from roles.docker_engine.packages import ALL, COMPANIONS, installed_engine
from roles.docker_engine.plan import config_change, has_run, sources_differ
from roles.docker_engine.problems import ROLE, downgrade
from roles.docker_engine.transaction import Transaction, parse
from roles.docker_engine.versions import is_older
from roles.observed import channel
from roles.run.fleet import Fleet, Member
from roles.run.problems import Problem

AT_ONCE = 20


def rehearse(
    state: State, fleet: Fleet, without: Container[str | None] = ()
) -> tuple[Fleet, list[Problem]]:
    """Return the fleet with what would be done to each host, and every problem of it.

    Hosts of `without` are left out: they have problems enough.
    """
    needing = [m for m in fleet if m.in_limit and m.name not in without and _needs(m)]
    brought = {member.name: materials(member) for member in needing}
    problems = [found for found in brought.values() if isinstance(found, Problem)]

    def look(member: Member) -> Transaction | Problem | None:
        found = brought[member.name]
        if isinstance(found, Problem) or member.wanted.docker_engine.source == "script":
            return None
        return _rehearsed(state, member, found)

    results = dict(zip((m.name for m in needing), Pool(AT_ONCE).map(look, needing), strict=True))
    members = []
    for member in fleet:
        found = results.get(member.name)
        if isinstance(found, Problem):
            problems.append(found)
        elif found and package_need(member):
            problems += transaction_problems(member, found)
            member = replace(member, rehearsed=found)
        members.append(member)
    return replace(fleet, members=tuple(members)), problems


def _needs(member: Member) -> bool:
    """Whether there is something to be asked: packages, their source, an engine's configuration."""
    if package_need(member) is not None or sources_differ(member):
        return True
    return has_run(member.observed) and config_change(member) is not None


def transaction_problems(member: Member, found: Transaction) -> list[Problem]:
    """Packages that would go and are no engine's own; an engine that would become older."""
    problems = []
    engine = installed_engine(member.observed)
    foreign = [name for name in found.removals if name not in COMPANIONS.get(engine or "", ())]
    if foreign:
        text = f"the package manager would remove {', '.join(foreign)}, and nothing is removed"
        hint = "unasked; remove it by hand, or take another version or source"
        problems.append(Problem(member.name, f"{ROLE}.source", f"{text} {hint}"))
    moved = [name for name in found.held if name not in ALL]
    if moved:
        text = f"the package manager would change {', '.join(moved)}, which somebody holds"
        hint = "let it go by hand, or take another version or source"
        problems.append(Problem(member.name, f"{ROLE}.source", f"{text}; {hint}"))
    if engine and not member.wanted.docker_engine.allow_downgrade:
        before, after = member.observed.packages[engine], found.version_of(target(member)[0])
        lowered = target(member)[0] in found.downgrades
        if after and (lowered or is_older(after, before)):
            problems.append(downgrade(member.name, before, after))
    return problems


def _rehearsed(state: State, member: Member, brought: Materials) -> Transaction | Problem:
    host = state.inventory.get_host(member.name)
    archive = commands.archive(member, *commands.rehearsal(member, brought))
    try:
        result = channel.run(
            state,
            host,
            commands.UNPACK_AND_RUN,
            stdin=archive,
            timeout_s=member.wanted.docker_engine.install_timeout_s,
            check=False,
            called="the rehearsal of the engine's installation",
        )
    except channel.RemoteError as error:
        return Problem(member.name, f"{ROLE}.source", str(error))
    if result.exit_code == 0:
        return parse(result.text)
    text = result.stderr_text
    key, colon, told = text.partition(": ")
    if colon and key.startswith(ROLE) and " " not in key:
        return Problem(member.name, key, told)
    return Problem(member.name, f"{ROLE}.source", text or f"exited with {result.exit_code}")
