"""Hosts that leave for a while: who calls them, what deploys do, and how they come back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import ENGINES, PROXIES, containers, of_each, registered, up, wait_until
from tests.lab.running import Run

ENGINE, PROXY = "sayhello-service-engine", "osp-proxy"
RECORD = "/var/lib/dockyard/drained"
BACK_S = 30


@pytest.fixture
def all_back(steady: Fleet) -> Iterator[None]:
    yield
    for host in steady.hosts:
        host.boot()
    back = steady.checkout.run(steady.inventory, "-y", deploy="deploy/undrain.py")
    assert back.exit_code == 0, back.output


def dockyard(fleet: Fleet, *words: str) -> subprocess.CompletedProcess[str]:
    return fleet.checkout.dockyard("--inventory", fleet.inventory, *words)


def drained(fleet: Fleet, host: LabHost, duration: str) -> None:
    run = dockyard(fleet, "drain", host.name, "--reason", "new disk", "--for", duration, "-y")
    assert run.returncode == 0, run.stderr


def turned(fleet: Fleet, turn: str) -> Run:
    return fleet.deploy("--data", f"soa_engine.environment.TURN={turn}")


def in_service(fleet: Fleet) -> tuple[set[str], set[str]]:
    found = registered(fleet.registry)
    return found[ENGINES], found[PROXIES]


@pytest.mark.usefixtures("all_back")
def test_a_drained_host_is_called_no_more_left_out_and_back_by_itself(steady: Fleet) -> None:
    fleet, (first, away, third) = steady, steady.apps
    drained(fleet, away, "40s")
    names = {f"{host.address}:1080" for host in (first, third)}
    assert in_service(fleet) == (names, {f"{host.address}:2080" for host in (first, third)})
    assert all(up(host) == names for host in fleet.apps)

    before = of_each(fleet.apps, containers)
    run = turned(fleet, "away")
    assert run.exit_code == 0, run.output
    assert run.output.count(f"{away.name} is left out: it is drained by ") == 2
    after = of_each(fleet.apps, containers)
    assert after[away.name] == before[away.name]
    replaced = [name for name in before if after[name][ENGINE].id != before[name][ENGINE].id]
    assert replaced == [first.name, third.name]

    shown = dockyard(fleet, "status")
    assert shown.returncode == 0, shown.stderr
    assert f"{away.name} is drained by " in shown.stdout
    assert ": new disk" in shown.stdout

    everybody = (fleet.engines, fleet.proxies)
    wait_until(lambda: in_service(fleet) == everybody, "back by itself", timeout_s=40 + BACK_S)
    wait_until(lambda: all(up(host) == fleet.engines for host in fleet.apps), "called again")
    assert containers(away) == after[away.name]
    assert "drained" not in dockyard(fleet, "status").stdout
    caught_up = turned(fleet, "away")
    assert [line.split(":")[0] for line in caught_up.done] == [away.name]


@pytest.mark.full
@pytest.mark.usefixtures("all_back")
def test_a_drained_host_may_be_switched_off_and_stays_drained_when_it_boots(steady: Fleet) -> None:
    fleet, away = steady, steady.apps[2]
    drained(fleet, away, "30m")
    away.stop()
    run = turned(fleet, "off")
    assert run.exit_code == 0, run.output
    assert f"{away.name} can't be reached, is drained and is left out" in run.output
    away.boot()
    wait_until(
        lambda: all(containers(away)[name].running for name in (ENGINE, PROXY)), "its parts run"
    )
    engines, proxies = in_service(fleet)
    assert f"{away.address}:1080" not in engines and f"{away.address}:2080" not in proxies
    back = dockyard(fleet, "undrain", away.name, "-y")
    assert back.returncode == 0, back.stderr
    assert in_service(fleet) == (fleet.engines, fleet.proxies)
    assert away.run(f"test -e {RECORD} || echo gone").stdout == "gone\n"
    again = dockyard(fleet, "undrain", away.name, "-y")
    assert "Nothing to change" in again.stderr


@pytest.mark.parametrize(
    "words, text",
    [
        (["drain", "app-1"], "Missing option '--reason'"),
        (["drain", "app-1", "--reason", "x", "--for", "soon", "-y"], "expected a time like 90s"),
        (["drain", "app-*", "--reason", "x", "-y"], "the name of one host, found a pattern"),
        (["drain", "nobody", "--reason", "x", "-y"], "nobody"),
    ],
)
def test_a_drain_that_cant_be_is_refused(steady: Fleet, words: list[str], text: str) -> None:
    run = dockyard(steady, *words)
    assert run.returncode != 0
    assert text in run.stderr
    assert in_service(steady) == (steady.engines, steady.proxies)


def test_engines_are_not_all_sent_away(steady: Fleet) -> None:
    words = ("--limit", "app-*", "--data", "drain.reason=x", "--data", "drain.duration=1h")
    run = steady.checkout.run(steady.inventory, "-y", *words, deploy="deploy/drain.py")
    assert run.exit_code == 1
    assert "would leave no engine in service" in run.output
    assert in_service(steady) == (steady.engines, steady.proxies)


@pytest.mark.full
def test_logs_of_all_hosts_are_merged_or_followed_through_a_replacement(steady: Fleet) -> None:
    fleet = steady
    read = dockyard(fleet, "logs", "engine", "-n", "1")
    assert read.returncode == 0, read.stderr
    assert sorted(line.split(" | ")[0] for line in read.stdout.splitlines()) == [
        host.name for host in fleet.apps
    ]
    command = [sys.executable, "-m", "deploy.cli", "-i", fleet.inventory]
    command += ["logs", "engine", "--follow", "--host", "app-1", "-n", "0"]
    with subprocess.Popen(
        command, cwd=fleet.checkout.directory, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as following:
        try:
            assert turned(fleet, "followed").exit_code == 0
        finally:
            following.terminate()
        assert following.stdout
        text = following.stdout.read().decode()
    assert "app-1 | " in text
    assert "stopping" in text and "registered" in text
