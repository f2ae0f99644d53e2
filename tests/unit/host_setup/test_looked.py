from __future__ import annotations

from typing import Any

import pytest

from roles.host_setup.looked import Asked, looked_at
from roles.host_setup.spec import HostSetupSpec
from roles.run.reading import look
from tests.unit.build import wanted
from tests.unit.host_setup.build import user


def asked(said: dict[str, Any]) -> Asked:
    return looked_at(HostSetupSpec.model_validate(said))


def test_nothing_is_asked_of_what_is_not_wanted() -> None:
    assert asked({}) == Asked()
    assert asked({"sysctls": {"a.b": None}, "modules": []}) == Asked()


@pytest.mark.parametrize(
    "said, kinds",
    [
        (user(uid=7), {("user", "ops"), ("user", "7"), ("sudoers", "-"), ("sshd", "-")}),
        ({"name": True}, {("hosts", "-")}),
        ({"timezone": "UTC"}, {("zone", "-")}),
        ({"time_sync": {}}, {("unit", "chronyd.service"), ("unit", "systemd-timesyncd.service")}),
        ({"sysctls": {"a.b": 1}}, {("sysctl", "a.b")}),
        ({"modules": ["br-netfilter"]}, {("module", "br_netfilter")}),
        ({"security_updates": True}, {("unit", "apt-daily.timer")}),
    ],
)
def test_what_is_wanted_is_asked_for(said: dict[str, Any], kinds: set[tuple[str, str]]) -> None:
    assert kinds <= set(asked(said).setup)


def test_the_survey_asks_it_of_a_host_in_the_same_probe() -> None:
    found = look(wanted(host_setup={"sysctls": {"a.b": 1}, "journald": {"max_use_mb": 9}}))
    assert found.arguments[-2:] == ["sysctl", "a.b"]
    assert "/etc/systemd/journald.conf.d/60-dockyard.conf" in found.sums
