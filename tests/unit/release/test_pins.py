"""Pins against what deploy/proxy.py brings."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from roles.observed import Pin
from roles.release.plan import wished
from roles.run import survey
from roles.run.fleet import Fleet
from tests.unit.build import fleet, member
from tests.unit.release.build import FIRST, recorded, wanting

PROXY_DEPLOY = Path(__file__).parents[3] / "deploy" / "proxy.py"


def of_round(number: str, **said: object) -> Fleet:
    environment = {"environment": {"ROUND": number}}
    return fleet(member("app-1", soa_engine=environment, proxy=environment, **said), "registry-1")


@pytest.fixture
def surveyed(monkeypatch: pytest.MonkeyPatch) -> tuple[survey.Role, ...]:
    """The roles that deploy/proxy.py surveys."""
    found: list[Any] = []
    monkeypatch.setattr(survey, "survey", found.extend)
    for name in ("images.deploy.deliver_images", "registry.deploy.run_registry"):
        monkeypatch.setattr(f"roles.{name}", lambda: None)
    monkeypatch.setattr("roles.proxy.deploy.run_proxy", lambda: None)
    runpy.run_path(str(PROXY_DEPLOY))
    return tuple(found)


def test_what_was_rolled_back_is_refused_of_the_parts_that_it_brings(
    surveyed: tuple[survey.Role, ...],
) -> None:
    bad = of_round("bad")
    pins = [
        Pin(role, sign, FIRST, "ann", "then") for role, sign in wished(bad, bad["app-1"]).items()
    ]
    assert {pin.part for pin in pins} == {"soa_engine", "proxy"}
    for said, keys in (({}, ["proxy"]), ({"unpin": True}, [])):
        found = wanting(recorded(of_round("1"), pins=pins), of_round("bad", **said))
        problems = [problem for role in surveyed for problem in role.check(found)]
        assert [problem.key for problem in problems if "rolled back" in problem.text] == keys
