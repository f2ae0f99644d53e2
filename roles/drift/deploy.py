"""The check for drift that the control machine makes by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pyinfra import host, logger, state
from pyinfra.api import DeployError, Host, deploy
from pyinfra.api.operation import OperationMeta
from pyinfra.connectors.local import LocalConnector
from pyinfra.operations import files, server, systemd

from roles.drift.interval import times
from roles.drift.machine import Machine, Place, read_machine, this_place
from roles.drift.operations import identity, known_hosts, tell, told
from roles.drift.schedule import (
    NAME,
    NOLOGIN,
    check,
    command,
    known_hosts_source,
    writable,
)
from roles.drift.spec import ScheduleSpec
from roles.run import options, report
from roles.run.problems import Problem, Refused
from roles.run.wanted import validated

TEMPLATES = Path(__file__).parent / "templates"
UNITS = "/etc/systemd/system"
CRON = f"/etc/cron.d/{NAME}"

Made = list[OperationMeta]


@deploy("Scheduled check for drift")
def schedule_check() -> None:
    """Have the check scheduled on this machine, or no more, as `drift.schedule` says.

    The fleet's hosts are not looked at: no survey is made, and no lease is taken.

    Raises:
        DeployError: it can't be; carries every problem. Nothing was changed.
        SystemExit: nothing is to be changed, and pyinfra would only ask whether to do it (0).
    """
    spec = _spec()
    place = this_place()
    machine = read_machine(state, host, spec, place)
    _refuse(check(host.name, spec, machine, place))
    made = _present(spec, machine, place) if spec.state == "present" else _absent(spec, machine)
    given = options.current()
    has_changes = any(operation.will_change for operation in made)
    if not has_changes:
        report.planned([], 1)
    if given.asks and not has_changes and len(given.deploys) == 1:
        sys.exit(0)
    if given.asks and not options.has_terminal():
        raise DeployError("there is no terminal to ask on; add -y, or --dry to look only")


def _spec() -> ScheduleSpec:
    """What is wanted; of this machine, and of no other."""
    hosts: list[Host] = list(state.inventory)
    if len(hosts) != 1 or not isinstance(host.connector, LocalConnector):
        raise DeployError(
            "expected this machine alone: pyinfra @local deploy/schedule_drift.py; which hosts are "
            "checked is said by drift.schedule.inventory"
        )
    wanted, problems = validated(host)
    _refuse(problems)
    assert wanted
    return wanted.drift.schedule


def _refuse(problems: list[Problem]) -> None:
    if problems:
        found = report.counted(len(problems), "problem")
        raise DeployError(f"{found}, and nothing was changed:\n{Refused(problems)}")


def _present(spec: ScheduleSpec, machine: Machine, place: Place) -> Made:
    source = known_hosts_source(spec, machine, place)
    if source is None:
        logger.warning(
            "there is no inventories/known_hosts, and root has none: the account will know no "
            "host, and refuse all; make one, and run again"
        )
    made: Made = [
        server.user(
            name=f"account {spec.user}",
            user=spec.user,
            home=spec.directory,
            shell=NOLOGIN,
            system=True,
            ensure_home=False,
        ),
        files.directory(
            name=f"home {spec.directory}", path=spec.directory, user=spec.user, mode="700"
        ),
    ]
    key = identity(name="SSH key", user=spec.user, home=spec.directory)
    known = known_hosts(
        name=f"known_hosts from {source}", user=spec.user, home=spec.directory, source=source
    )
    made += [key, known]
    made += _timer(spec, place) if machine.has_systemd else _cron(spec, place)
    if key.will_change:
        made.append(told(name="public key", user=spec.user, home=spec.directory))
    else:
        tell(state, host, spec.user, spec.directory)
    return made


def _template(source: str, target: str, **data: Any) -> OperationMeta:
    return files.template(
        name=target,
        src=str(TEMPLATES / f"{source}.j2"),
        dest=target,
        user="root",
        group="root",
        mode="644",
        **data,
    )


def _said(spec: ScheduleSpec, place: Place) -> dict[str, Any]:
    """What the templates say."""
    return {
        "program": NAME,
        "spec": spec,
        "times": times(spec.interval),
        "project": place.project,
        "command": " ".join(command(spec, place)),
        "writable": " ".join(writable(spec)),
    }


def _timer(spec: ScheduleSpec, place: Place) -> Made:
    """A timer of systemd's; a line of cron's, from before, would be a second schedule."""
    said = _said(spec, place)
    made = [
        _template(f"{NAME}.{kind}", f"{UNITS}/{NAME}.{kind}", **said)
        for kind in ("service", "timer")
    ]
    is_new = any(unit.will_change for unit in made)
    made.append(
        systemd.service(
            name="timer enabled and started",
            service=f"{NAME}.timer",
            enabled=True,
            running=True,
            restarted=is_new,
            daemon_reload=is_new,
        )
    )
    made.append(files.file(name=f"no {CRON}", path=CRON, present=False))
    return made


def _cron(spec: ScheduleSpec, place: Place) -> Made:
    return [_template("cron", CRON, **_said(spec, place))]


def _absent(spec: ScheduleSpec, machine: Machine) -> Made:
    made: Made = []
    if machine.has_systemd:
        for kind, enabled in (("timer", False), ("service", None)):
            made.append(
                systemd.service(
                    name=f"{kind} stopped",
                    service=f"{NAME}.{kind}",
                    running=False,
                    enabled=enabled,
                )
            )
    gone = [
        files.file(name=f"no {path}", path=path, present=False)
        for path in (f"{UNITS}/{NAME}.timer", f"{UNITS}/{NAME}.service", CRON)
    ]
    made += gone
    if machine.has_systemd and any(unit.will_change for unit in gone):
        made.append(systemd.daemon_reload(name="systemd told"))
    if spec.purge:
        made.append(
            files.directory(name=f"no {spec.directory}", path=spec.directory, present=False)
        )
        made.append(server.user(name=f"no account {spec.user}", user=spec.user, present=False))
    return made
