"""What is wanted when a fleet goes back: what the hosts' own records say, not today's data."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from pyinfra.api import Host, State

from roles.observed import Observed, forget
from roles.observed.channel import RemoteError
from roles.proxy import plan as proxy
from roles.registry import plan as registry
from roles.release import back
from roles.release.back import target
from roles.release.plan import ROLE, applied_to
from roles.release.record import Record
from roles.release.store import Kept, each, read_all
from roles.run.current import observe_all
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
    """Return what hosts ran in a release; of those outside the limit, what they run now.

    So of those that are drained, too.
    """
    asked, problems = _asked(state)
    seen = _seen(state, connected)
    kept: dict[Host, Kept] = {}
    for host, found in each(connected, lambda host: read_all(state, host)).items():
        if isinstance(found, RemoteError):
            problems.append(Problem(host.name, ROLE, str(found)))
        else:
            kept[host] = found
    if problems:
        return {}, problems
    treated = [h for h in kept if _in_limit(state, h) and _runs_parts(h) and not _away(seen.get(h))]
    release = next((a.release for a in asked.values() if a.release), None)
    try:
        name = _target({host: kept[host] for host in treated}, release, seen) if treated else ""
    except Refused as refused:
        return {}, refused.problems
    wishes: dict[Host, Wish] = {}
    for host, found in kept.items():
        if host in treated:
            wish, wrong = _wish(host, found, name, asked[host])
        else:
            wish, wrong = _wish_outside(host, found, asked[host])
        problems += wrong
        if wish:
            wishes[host] = wish
    return wishes, problems


def _seen(state: State, hosts: list[Host]) -> dict[Host, Observed]:
    """What hosts are, before it is known what is wanted of them.

    The survey reads them again, and tells which can't be read.
    """
    found = observe_all(state, dict.fromkeys(hosts))
    for host in hosts:
        forget(host)
    return {host: result for host, result in found.items() if isinstance(result, Observed)}


def _away(observed: Observed | None) -> bool:
    return observed is not None and observed.drained is not None


def _target(kept: Mapping[Host, Kept], asked: str | None, seen: Mapping[Host, Observed]) -> str:
    """Raises Refused."""
    runs = {host.name: _signs(host, its, seen.get(host)) for host, its in kept.items()}
    return target({host.name: its for host, its in kept.items()}, asked, runs)


def _signs(host: Host, kept: Kept, observed: Observed | None) -> dict[str, str]:
    """Role to the sign of what runs; empty where no record tells which containers to look at."""
    had = kept.records.get(kept.current or "")
    if had is None or observed is None:
        return {}
    roles = [ROLE_OF_GROUP[group] for group in host.groups if group in ROLE_OF_GROUP]
    parts = {role: part for role in roles if (part := had.wanted.part(role))}
    signs = {role: applied_to(observed, role, part) for role, part in parts.items()}
    return {role: sign for role, sign in signs.items() if sign}


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
    """What a host that goes back ran in a release that it is known to have."""
    if name in kept.unreadable:
        text = f"the record of {name} {kept.unreadable[name]}; name another"
        return None, [Problem(host.name, ROLE, text)]
    return _of_record(kept.records[name], asked), []


def _wish_outside(host: Host, kept: Kept, asked: Asked) -> tuple[Wish | None, list[Problem]]:
    """What another host runs; today's data tells that where no record can."""
    if not _runs_parts(host):
        return Wish(Wanted(rollout=asked.rollout)), []
    if (name := kept.current or "") in kept.records:
        return _of_record(kept.records[name], asked), []
    wanted, problems = validated(host)
    return Wish(wanted) if wanted else None, problems


def _of_record(found: Record, asked: Asked) -> Wish:
    of_today = {"rollout": asked.rollout, "release": asked.release}
    return Wish(found.wanted.model_copy(update=of_today), found.release)
