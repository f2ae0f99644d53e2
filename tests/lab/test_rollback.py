"""Back to earlier releases, from a checkout that has never seen the fleet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import answering, containers, get, of_each, processes_seen
from tests.lab.running import Checkout, Run
from tests.lab.test_failures import ENGINE
from tests.lab.test_soa import release_of

CANARY = "c4n4ry-of-the-rollback"
SERVICE = "files/sayhello-service-engine/sayhello_engine/service.py"
HELLO = 'f"Hello, '
DATA = "group_data/engine.py"
RELEASES, PINS = "/var/lib/dockyard/releases", "/var/lib/dockyard/pin.json"
QUICK = ("--data", "rollout.batch=2", "--data", "rollout.canary=false")
BACK = "deploy/rollback.py"


def record(host: LabHost, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.run(f"cat {RELEASES}/{name}.json").stdout)
    return found


def engine_of(host: LabHost) -> tuple[str, str | None, str]:
    """The engine's image ID, a variable of it, and what it answers."""
    found = containers(host)[ENGINE]
    answer = get(host, 1080, "/sayhello?name=Ada")["message"]
    return found.image, found.environment.get("TOKEN"), answer


@dataclass(frozen=True)
class History:
    """Three releases: as first deployed, with a variable more, and with another answer."""

    first: str
    second: str
    third: str
    good: dict[str, tuple[str, str | None, str]]
    with_variable: dict[str, tuple[str, str | None, str]]
    bad: Checkout
    """What the third release was deployed from."""
    elsewhere: Checkout
    """A copy whose data and contexts are none of the three's."""
    runs: list[Run]
    """What was run; the tests add theirs."""
    processes: set[str]


@pytest.fixture(scope="module")
def history(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("rollback")
    host, apps = fleet.apps[0], fleet.apps
    assert fleet.deploy().exit_code == 0
    first, good = release_of(host), of_each(apps, engine_of)
    bad = fleet.checkout.copy(folder / "bad")
    elsewhere = fleet.checkout.copy(folder / "elsewhere")
    elsewhere.edit(SERVICE, HELLO, 'f"Never, ')
    elsewhere.edit(DATA, '"memory_mb": 256', '"memory_mb": 300')
    elsewhere.edit("group_data/sdk.py", '"memory_mb": 256', '"memory_mb": "none"')
    with processes_seen(fleet.hosts) as seen:
        bad.edit(DATA, '"environment": {', f'"environment": {{"TOKEN": "{CANARY}", ')
        runs = [bad.run(fleet.inventory, "-y", *QUICK)]
        second, with_variable = release_of(host), of_each(apps, engine_of)
        bad.edit(SERVICE, HELLO, 'f"Sorry, ')
        runs.append(bad.run(fleet.inventory, "-y", *QUICK))
        third = release_of(host)
        assert [run.exit_code for run in runs] == [0, 0], runs[-1].output
        yield History(first, second, third, good, with_variable, bad, elsewhere, runs, seen)
    for host in fleet.hosts:
        host.run(f"rm -f {PINS}")
    assert fleet.deploy().exit_code == 0


def test_every_host_has_a_record_of_each_release_that_root_alone_reads(
    fleet: Fleet, history: History
) -> None:
    assert history.first < history.second < history.third
    for host in fleet.hosts:
        assert release_of(host) == history.third
        listed = host.run(f"cd {RELEASES}; stat -c '%n %a %U' .").stdout.split()
        assert listed == [".", "700", "root"]
        files = host.run(f"cd {RELEASES}; stat -c '%n %a %U' *.json current").stdout.splitlines()
        names = (history.first, history.second, history.third)
        expected = [*(f"{name}.json 600 root" for name in names), "current 600 root"]
        assert set(expected) <= set(files)
        assert {line.split(" ", 1)[1] for line in files} == {"600 root"}
    found = record(fleet.apps[0], history.second)
    assert found["wanted"]["soa_engine"]["environment"]["TOKEN"] == CANARY
    image, token, _ = history.with_variable[fleet.apps[0].name]
    assert (found["parts"]["soa_engine"]["image_id"], token) == (image, CANARY)


def test_the_releases_are_listed(fleet: Fleet, history: History) -> None:
    run = history.elsewhere.run(fleet.inventory, "--data", "release=list", deploy=BACK)
    assert run.exit_code == 0, run.output
    lines = [line for line in run.output.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    assert [line[0] for line in cells][:3] == [history.third, history.second, history.first]
    assert [line[2:] for line in cells][:2] == [["all", "all", ""], ["all", "", ""]]
    assert all("@" in line[1] for line in cells)


def test_what_is_not_of_the_records_is_refused(fleet: Fleet, history: History) -> None:
    run = history.elsewhere.run(
        fleet.inventory, "-y", "--data", "release=2001-01-01T00:00:00Z", deploy=BACK
    )
    assert run.exit_code == 1
    assert {problem.split(":")[0] for problem in run.problems} == {h.name for h in fleet.hosts}
    assert all("has no record of release 2001-01-01T00:00:00Z" in p for p in run.problems)
    run = history.elsewhere.run(fleet.inventory, "-y", "--data", "unpin=true", deploy=BACK)
    [problem] = run.problems
    assert problem.startswith("inventory: --data unpin: all but `rollout` comes from the records")


@contextmanager
def recorded_as(hosts: Sequence[LabHost], before: str, now: str) -> Iterator[None]:
    """Hosts on which the deploy of what they run was cut off before it was recorded."""
    for host in hosts:
        host.run(f"echo {before} >{RELEASES}/current")
    try:
        yield
    finally:
        for host in hosts:
            host.run(f"echo {now} >{RELEASES}/current")


def test_what_a_deploy_has_not_recorded_is_recorded_by_the_next_or_taken_back(
    fleet: Fleet, history: History
) -> None:
    host = fleet.apps[0]
    why = f"it runs something else than {history.second}"
    with recorded_as([host], history.second, history.third):
        run = history.bad.run(fleet.inventory, "--dry")
        assert run.planned == [f"{host.name}: release: record release: {why}"]
    with recorded_as(fleet.hosts, history.second, history.third):
        run = history.elsewhere.run(fleet.inventory, "--dry", deploy=BACK)
    assert run.exit_code == 0, run.output
    assert [line for line in run.planned if ": release: " in line] == [
        f"{host.name}: release: go back to {history.second}: it runs something else; pin "
        "soa_engine of before"
        for host in fleet.apps
    ]
    assert history.bad.run(fleet.inventory, "--dry").planned == []


def test_back_to_the_one_before(fleet: Fleet, history: History) -> None:
    run = history.elsewhere.run(fleet.inventory, "-y", *QUICK, deploy=BACK)
    history.runs.append(run)
    assert run.exit_code == 0, run.output
    assert sorted(run.done) == sorted(run.planned)
    replaced = [line for line in run.done if "replace container" in line]
    expected = [[host.name, "soa_engine"] for host in fleet.apps]
    assert sorted(line.split(": ")[:2] for line in replaced) == expected
    assert of_each(fleet.apps, engine_of) == history.with_variable
    assert set(of_each(fleet.hosts, release_of).values()) == {history.second}


def test_back_to_one_by_name_and_then_nothing_is_left(fleet: Fleet, history: History) -> None:
    named = ("--data", f"release={history.first}")
    run = history.elsewhere.run(fleet.inventory, "-y", *QUICK, *named, deploy=BACK)
    history.runs.append(run)
    assert run.exit_code == 0, run.output
    assert of_each(fleet.apps, engine_of) == history.good
    for host in fleet.apps:
        assert set(answering(host)) == fleet.engines
    before = of_each(fleet.hosts, containers)
    run = history.elsewhere.run(fleet.inventory, "-y", *named, deploy=BACK)
    assert run.exit_code == 0, run.output
    assert "Nothing to change on 4 hosts" in run.output
    assert of_each(fleet.hosts, containers) == before


def test_what_was_rolled_back_is_refused_and_anything_else_is_not(
    fleet: Fleet, history: History
) -> None:
    run = history.bad.run(fleet.inventory, "-y")
    history.runs.append(run)
    assert run.exit_code == 1
    assert [problem.split(" was ")[0] for problem in run.problems] == [
        f"{host.name}: soa_engine: release {history.third}" for host in fleet.apps
    ]
    assert all(problem.endswith("or say --data unpin=true") for problem in run.problems)
    host, other = fleet.apps[:2]
    host.run(f"mv {PINS} {PINS}.away")
    run = history.bad.run(fleet.inventory, "--dry", "--limit", host.name)
    host.run(f"mv {PINS}.away {PINS}")
    [problem] = run.problems
    assert f"release {history.third} was rolled back on {other.name} by " in problem
    mended = ("--data", "soa_engine.environment.MENDED=yes")
    run = history.bad.run(fleet.inventory, "--dry", *mended)
    assert run.exit_code == 0, run.output
    assert len([line for line in run.planned if "replace container" in line]) == 3
    assert fleet.deploy("--dry").planned == []


def test_it_comes_back_where_somebody_insists_and_is_pinned_there_no_more(
    fleet: Fleet, history: History
) -> None:
    host, other = fleet.apps[:2]
    pinned = json.loads(host.run(f"cat {PINS}").stdout)
    assert [pin["release"] for pin in pinned] == [history.third, history.second]
    limit = ("--limit", host.name, "--data", "unpin=true")
    run = history.bad.run(fleet.inventory, "-y", *limit)
    history.runs.append(run)
    assert run.exit_code == 0, run.output
    _, token, answer = engine_of(host)
    assert (token, answer) == (CANARY, "Sorry, Ada!")
    assert json.loads(host.run(f"cat {PINS}").stdout) == pinned[1:]
    assert json.loads(other.run(f"cat {PINS}").stdout) == pinned
    name = release_of(host)
    assert set(of_each(fleet.hosts, release_of).values()) == {name}
    assert record(other, name)["wanted"] == record(other, history.first)["wanted"]
    assert record(host, name)["wanted"] == record(host, history.third)["wanted"]


def test_a_secret_is_in_no_output_no_process_list_and_no_file_that_others_read(
    fleet: Fleet, history: History
) -> None:
    assert len(history.runs) >= 5
    for run in history.runs:
        assert CANARY not in run.output
    there = [text for text in history.processes if CANARY in text.replace(f"TOKEN={CANARY}", "")]
    assert there == []
    for host in fleet.hosts:
        look = f"grep -rsl -D skip {CANARY} /var /etc /run /tmp /root /home"
        assert host.run(f"su -s /bin/sh nobody -c '{look}'", check=False).stdout == ""
