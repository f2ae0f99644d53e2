"""Data cases for operations: a fleet, the facts of pyinfra's own operations, expected commands.

pyinfra-testing's generator has no state to survey; its fake host and its reading of commands serve.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path as File
from typing import Any

import yaml
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.operations import parse_commands
from pyinfra_testing.util import FakeHost

from roles.host_setup.commands import SHELL, Step, text
from roles.observed import Path, Service
from roles.observed.setup import setup
from roles.run.fleet import Fleet
from tests.unit.build import address_of, bare, fitted, fleet, member, serving, state_of

CASES = File(__file__).parent / "cases"


def cases() -> list[File]:
    return sorted(CASES.glob("*/*.yaml"))


def load(case: File) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(case.read_text())
    return found


def commands(case: File) -> list[Any]:
    """What the case's operation yields while pyinfra executes it."""
    told = load(case)
    module, _, name = case.parent.name.rpartition(".")
    operation = getattr(import_module(f"roles.{module}"), name)
    state = state_of(_fleet(told))
    state.is_executing = True
    host = FakeHost(state, told["host"], told.get("facts", {}), {})
    with ctx_state.use(state), ctx_host.use(host):
        found: list[Any] = parse_commands(list(operation._inner(**_kwargs(told))))
    return [_shown(command) for command in found]


def _shown(command: Any) -> Any:
    """A step of ours by what it is called, and what it is given behind its script."""
    if isinstance(command, list) and command[0] == "run_step":
        [step] = command[1]
        assert isinstance(step, Step)
        scripts = {text(path.stem): path.name for path in SHELL.glob("*.sh")}
        return [step.called, *(scripts.get(word, word) for word in step.words[4:])]
    return command


def _kwargs(told: dict[str, Any]) -> dict[str, Any]:
    """The operation's arguments; a rollout is `ROLE`, or `ROLE.NAME` where it has another name."""
    kwargs = dict(told.get("kwargs", {}))
    if "rollout" in kwargs:
        role, _, name = kwargs["rollout"].partition(".")
        kwargs["rollout"] = getattr(import_module(f"roles.{role}.rollout"), name or "ROLLOUT")
    return kwargs


def _fleet(told: dict[str, Any]) -> Fleet:
    """Hosts by name: `is` (bare, fitted or serving), `in_limit` or not, then what differs."""
    members = []
    for name, host in told["fleet"].items():
        observed = (bare if host["is"] == "bare" else fitted)(address_of(name))
        data = host.get("data", {})
        in_limit = host.get("in_limit", True)
        members.append(member(name, host.get("groups", ()), observed, in_limit, **data))
    whole = fleet(*members)
    as_wanted = serving(fleet(*(m for m in whole if told["fleet"][m.name]["is"] == "serving")))
    found = {m.name: m for m in (*whole, *as_wanted)}
    for name, host in told["fleet"].items():
        one = found[name]
        found[name] = replace(one, observed=replace(one.observed, **_observed(host)))
    return fleet(*(found[name] for name in told["fleet"]))


def _observed(host: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = dict(host.get("observed", {}))
    if "docker_service" in changes:
        changes["docker_service"] = Service(**changes["docker_service"])
    if "setup" in changes:
        changes["setup"] = setup(changes["setup"])
    if "paths" in changes:
        changes["paths"] = {path: Path(*found) for path, found in changes["paths"].items()}
    return changes
