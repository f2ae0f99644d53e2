from __future__ import annotations

from typing import Any

from roles.host_setup.kernel import MODULES_CONF, SYSCTL_CONF
from roles.host_setup.plan import changes
from roles.observed import Setup
from tests.unit.host_setup.build import gaps, host, planned

FORWARD, MIGRATE = "net.ipv4.ip_forward", "net.ipv4.tcp_migrate_req"
WANTED: dict[str, Any] = {"sysctls": {MIGRATE: 1, FORWARD: 1}}
FILE = {SYSCTL_CONF: f"{FORWARD} = 1\n{MIGRATE} = 1\n".encode()}


def test_what_is_as_wanted_is_left() -> None:
    live = Setup(sysctls={FORWARD: "1", MIGRATE: "1"})
    assert planned(host(WANTED, live, FILE)) == []


def test_a_live_value_that_differs() -> None:
    found = host(WANTED, Setup(sysctls={FORWARD: "0", MIGRATE: "1"}), FILE)
    assert gaps(found) == [(FORWARD, "1", "0")]
    [change] = changes(found)
    assert (change.action, change.why) == (f"set {FORWARD}", "0")
    assert [step.called for step in change.steps] == ["sysctls", f"writing {SYSCTL_CONF}"]
    assert change.steps[0].words[-2:] == (FORWARD, "1")


def test_a_file_alone_that_differs_touches_no_live_value() -> None:
    found = host(WANTED, Setup(sysctls={FORWARD: "1", MIGRATE: "1"}))
    [change] = changes(found)
    assert (change.action, change.why) == (f"write {SYSCTL_CONF}", "absent")
    assert [step.called for step in change.steps] == [f"writing {SYSCTL_CONF}"]


def test_what_the_kernel_has_not_is_passed_over_and_stands_in_the_file() -> None:
    found = host(WANTED, Setup(sysctls={FORWARD: "1"}))
    assert gaps(found) == [(SYSCTL_CONF, "as Dockyard writes it", "absent")]
    [line] = planned(found)
    assert line == (
        f"write {SYSCTL_CONF} (not in this kernel now, and passed over: {MIGRATE}): absent"
    )
    assert planned(host(WANTED, Setup(sysctls={FORWARD: "1"}), FILE)) == []


def test_modules_come_before_the_settings_that_they_bring() -> None:
    found = host({**WANTED, "modules": ["br-netfilter"]}, Setup(sysctls={FORWARD: "0"}))
    assert planned(found) == [
        "load br_netfilter, now and at boot: 2 of its settings differ",
        f"set {FORWARD} (not in this kernel now, and passed over: {MIGRATE}): "
        "2 of its settings differ",
    ]
    there = {MODULES_CONF: b"br_netfilter\n"}
    loaded = Setup(modules=frozenset({"br_netfilter"}))
    assert planned(host({"modules": ["br-netfilter"]}, loaded, there)) == []
