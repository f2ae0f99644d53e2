"""What is wanted when a fleet goes back: what the hosts' own records say, not today's data."""

from __future__ import annotations

from pydantic import ValidationError
from pyinfra.api import Host, State

from roles.observed.channel import RemoteError
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.release import back
from roles.release.back import target
from roles.release.plan import ROLE
from roles.release.store import Kept, each, read_all
from roles.run.merge import DataError, merged_data
from roles.run.model import Data
from roles.run.pace import Pace
from roles.run.problems import Problem, Refused
from roles.run.survey import Role
from roles.run.wanted import PYINFRA_KEYS, ROLE_OF_GROUP, ReleaseName, Wanted, problem_of, validated
from roles.run.wishes import Wish
from roles.sdk import plan as sdk
from roles.soa_engine import plan as soa_engine

ROLES: tuple[Role, ...] = (registry, soa_engine, proxy, sdk, back)
"""In the order in which deploy/rollback.py composes them: nothing is installed or built."""


class Asked(Data):
    """What of today's data counts: how to go, and where to."""

    rollout: Pace = Pace()
    release: ReleaseName | None = None


def recorded(state: State, connected: list[Host]) -> tuple[dict[Host, Wish], list[Problem]]:
    """Return what hosts ran in a release; of those outside the limit, what they run now."""
    asked, problems = _asked(state)
    kept: dict[Host, Kept] = {}
    for host, found in each(connected, lambda host: read_all(state, host)).items():
        if isinstance(found, RemoteError):
            problems.append(Problem(host.name, ROLE, str(found)))
        else:
            kept[host] = found
    if problems:
        return {}, problems
    treated = {h: k for h, k in kept.items() if _in_limit(state, h) and _runs_parts(h)}
    try:
        release = next((a.release for a in asked.values() if a.release), None)
        name = target({host.name: found for host, found in treated.items()}, release)
    except Refused as refused:
        return {}, refused.problems
    wishes: dict[Host, Wish] = {}
    for host, found in kept.items():
        its = name if host in treated else found.current or ""
        wish, wrong = _wish(host, found, its, asked[host])
        problems += wrong
        if wish:
            wishes[host] = wish
    return wishes, problems


def _asked(state: State) -> tuple[dict[Host, Asked], list[Problem]]:
    """Read today's data; what else the command line says is told to be in vain."""
    found: dict[Host, Asked] = {}
    problems = [
        Problem(None, f"--data {key}", "all but `rollout` comes from the records; leave it away")
        for key in state.inventory.get_override_data()
        if key.split(".")[0] not in (*Asked.model_fields, *PYINFRA_KEYS)
    ]
    for host in state.inventory:
        try:
            data = merged_data(host)
            found[host] = Asked.model_validate(
                {key: data[key] for key in Asked.model_fields if key in data}
            )
        except DataError as error:
            problems.append(Problem(host.name, error.key, error.text))
        except ValidationError as error:
            problems += [problem_of(host.name, dict(each), Asked) for each in error.errors()]
    return found, problems


def _in_limit(state: State, host: Host) -> bool:
    return bool(state.is_host_in_limit(host))


def _runs_parts(host: Host) -> bool:
    return any(group in ROLE_OF_GROUP for group in host.groups)


def _wish(host: Host, kept: Kept, name: str, asked: Asked) -> tuple[Wish | None, list[Problem]]:
    if not _runs_parts(host):
        return Wish(Wanted(rollout=asked.rollout)), []
    if name in kept.records:
        found = kept.records[name]
        of_today = {"rollout": asked.rollout, "release": asked.release}
        return Wish(found.wanted.model_copy(update=of_today), found.release), []
    if name in kept.unreadable:
        text = f"the record of {name} {kept.unreadable[name]}; name another"
        return None, [Problem(host.name, ROLE, text)]
    wanted, problems = validated(host)  # it runs what nobody has recorded yet
    return Wish(wanted) if wanted else None, problems
