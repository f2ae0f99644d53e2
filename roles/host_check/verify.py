"""Verify hosts: read every one, say what was found, change nothing."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyinfra.api import DeployError, Host, State
from rich.console import Console

from roles.host_check.finding import Subject
from roles.host_check.plan import findings
from roles.host_check.report import HostReport, document, max_verdict, rendered
from roles.observed import Observed
from roles.run import options, whole_file
from roles.run.address import NoAddress, export_address
from roles.run.connecting import unreached
from roles.run.current import observe_all
from roles.run.merge import merged_data
from roles.run.problems import Problem
from roles.run.reading import connect, explained, look
from roles.run.reports import told_once
from roles.run.wanted import ROLE_OF_GROUP, Wanted, validated

WIDTH = 140
"""Of the table, where there is no terminal to ask."""


def verify() -> None:
    """Read every host of the inventory (of the limit, if there is one) and tell what was found.

    Raises:
        DeployError: the report can't be written where it is wanted.
        SystemExit: 1 where a host is unfit, can't be read, or has wrong data; else 0.
    """
    with told_once() as state:
        if state is None:
            return
        given = options.current()
        hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
        path = report_path(hosts)
        reports = read(state, hosts)
        is_terminal = sys.stdout.isatty()
        Console(width=None if is_terminal else WIDTH, highlight=False).print(rendered(reports))
        if path:
            write(path, document(reports, datetime.now(UTC)))
        code = 1 if max_verdict(reports) == "fail" else 0
        if code or len(given.deploys) == 1:
            sys.exit(code)


def read(state: State, hosts: list[Host]) -> list[HostReport]:
    """Read hosts and check them; one that can't be read has its reason instead."""
    wanted: dict[Host, Wanted] = {}
    problems: dict[Host, list[Problem]] = {}
    for host in hosts:
        found, problems[host] = validated(host)
        if found:
            wanted[host] = found
    connected, unreachable = connect(state, hosts)
    for host, why in unreachable.items():
        problems[host].append(Problem(host.name, "connection", unreached(host.name, why)))
    observed: dict[Host, Observed] = {}
    for host, result in observe_all(state, {h: look(wanted.get(h)) for h in connected}).items():
        if isinstance(result, Observed):
            observed[host] = result
        else:
            problems[host].append(Problem(host.name, "probe", explained(str(result))))
    return [_report(host, wanted.get(host), observed.get(host), problems[host]) for host in hosts]


def _report(
    host: Host, wanted: Wanted | None, observed: Observed | None, problems: list[Problem]
) -> HostReport:
    """A host whose data is wrong is judged as one of which nothing is wanted."""
    groups = tuple(group for group in host.groups if group in ROLE_OF_GROUP)
    if observed is None:
        return HostReport(host.name, groups, False, tuple(problems))
    if wanted:
        problems = [*problems, *_no_address(host.name, wanted, observed)]
    known = wanted or Wanted()
    parts = {ROLE_OF_GROUP[g]: p for g in groups if wanted and (p := known.part(ROLE_OF_GROUP[g]))}
    found = findings(Subject(host.name, known, observed, parts))
    return HostReport(host.name, groups, True, tuple(problems), tuple(found))


def _no_address(host: str, wanted: Wanted, observed: Observed) -> list[Problem]:
    try:
        export_address(observed, wanted.export_ip, [], nat=wanted.export_ip_nat)
    except NoAddress as error:
        return [Problem(host, "export_ip", str(error))]
    return []


def report_path(hosts: list[Host]) -> Path | None:
    """Where the report is to be written; known to be possible before any host is read."""
    told = {str(path) for host in hosts if (path := merged_data(host).get("verify_report"))}
    if len(told) > 1:
        raise DeployError(f"verify_report: expected one path, found {', '.join(sorted(told))}")
    if not told:
        return None
    path = Path(told.pop())
    if not path.parent.is_dir():
        raise DeployError(f"verify_report: {path.parent} is no directory; make it, then run again")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise DeployError(f"verify_report: {path} can't be written; name another place")
    return path


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the whole report, or leave what was there."""
    try:
        whole_file.write(path, f"{json.dumps(content, indent=2)}\n")
    except whole_file.Unwritable as error:
        raise DeployError(f"verify_report: {error}") from error
