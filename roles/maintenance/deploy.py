from __future__ import annotations

from pyinfra.api import deploy

from roles.maintenance.operations import hosts
from roles.maintenance.rollout import DRAIN, REBOOT, UNDRAIN


@deploy("Drain")
def send_away() -> None:
    """Have the hosts out of service for as long as `drain` says."""
    hosts(rollout=DRAIN, name="drain", _run_once=True)


@deploy("Undrain")
def call_back() -> None:
    """Have drained hosts in service again."""
    hosts(rollout=UNDRAIN, name="undrain", _run_once=True)


@deploy("Reboot")
def reboot_hosts() -> None:
    """Reboot the hosts, one after the other, each drained before and proven after."""
    hosts(rollout=REBOOT, name="reboot", _run_once=True)
