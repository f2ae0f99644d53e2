"""What is asked of one run alone: the deploy file that it is for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from roles.docker_engine import service
from roles.maintenance import drain
from roles.release import back
from roles.retire import plan as retire
from roles.run.fleet import Fleet
from roles.run.problems import Problem

ASKED: Mapping[str, tuple[str, object]] = {
    "action": ("deploy/service.py", service),
    "drain": ("deploy/drain.py", drain),
    "host_list": ("deploy/retire.py", retire),
    "logs": ("deploy/logs.py", None),
    "purge": ("deploy/retire.py", retire),
    "release": ("deploy/rollback.py", back),
}
"""Key of the data to the deploy file, and the role that does what it says; None: it only tells."""


def check(fleet: Fleet, roles: Collection[object], deploys: Collection[str]) -> list[Problem]:
    """What is asked for, and that none of these roles, or of the other deploy files, does."""
    names = {Path(deploy).name for deploy in deploys}
    return [
        Problem(None, f"--data {key}", f"is for {file}, and is not done here; leave it away")
        for key, (file, role) in ASKED.items()
        if role not in roles
        and Path(file).name not in names
        and any(getattr(member.wanted, key) is not None for member in fleet)
    ]
