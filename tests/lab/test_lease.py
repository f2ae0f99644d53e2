"""Two people who deploy to the same hosts: one changes them, the other is told who."""

from __future__ import annotations

import getpass
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import await_expiry, containers, leased_to, marks, of_each
from tests.lab.running import Run, Running

ENGINE, CALLER = "sayhello-service-engine", "osp-sdk"
OWNER = f"{getpass.getuser()}@{socket.gethostname()}"
HOLDER = rf"{re.escape(OWNER)} since \d\d:\d\d:\d\d \(deploy/soa\.py\)"
SHORT_S = 15
SHORT = ("--data", f"rollout.lease_s={SHORT_S}")


@pytest.fixture(scope="module", autouse=True)
def _as_it_was(fleet: Fleet) -> Iterator[None]:
    yield
    assert fleet.deploy().exit_code == 0


@dataclass(frozen=True)
class Event:
    """A change of a container of ours, as the Docker engine logged it."""

    at_ns: int
    host: str
    action: str
    container: str


def now_of(host: LabHost) -> str:
    return host.run("date +%s.%N").stdout.strip()


def changes_since(fleet: Fleet, since: str) -> list[Event]:
    """What the engines of all hosts say was done to containers, in order: they share one clock."""

    def of(host: LabHost) -> list[Event]:
        kinds = [
            "create",
            "start",
            "kill",
            "stop",
            "die",
            "rename",
            "destroy",
            "update",
            "restart",
            "pause",
        ]
        filters = " ".join(f"--filter event={kind}" for kind in kinds)
        form = "{{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}}"
        text = host.run(
            f"docker events --since {since} --until $(date +%s.%N) --filter type=container "
            f"{filters} --format '{form}'"
        ).stdout
        rows = [line.split() for line in text.splitlines()]
        return [Event(int(at), host.name, action, name) for at, action, name in rows]

    found = of_each(fleet.hosts, of)
    return sorted((e for events in found.values() for e in events), key=lambda e: e.at_ns)


def replaced(events: list[Event]) -> list[str]:
    """The hosts on which a container was replaced, in order; fails where two went on at once."""
    steps = [e for e in events if e.action in ("rename", "create", "destroy")]
    assert len(steps) % 3 == 0, steps
    threes = [steps[at : at + 3] for at in range(0, len(steps), 3)]
    for three in threes:
        assert [e.action for e in three] == ["rename", "create", "destroy"], steps
        assert len({e.host for e in three}) == 1, steps
    return [three[0].host for three in threes]


def rounds(fleet: Fleet, container: str) -> dict[str, str | None]:
    return {
        name: found[container].environment.get("ROUND")
        for name, found in of_each(fleet.hosts, containers).items()
        if container in found
    }


def is_free(fleet: Fleet) -> bool:
    """Whether nobody has the lease, given back or never taken."""
    return not any(of_each(fleet.hosts, leased_to).values())


def start_engine(fleet: Fleet, host: str, name: str, *options: str) -> Running:
    """Begin to replace one host's engine by one whose ROUND is `name`."""
    change = f"soa_engine.environment.ROUND={name}"
    return fleet.checkout.start(fleet.inventory, "-y", "--limit", host, "--data", change, *options)


def start_caller(fleet: Fleet, name: str, *options: str) -> Running:
    """Begin to replace the sdk's container by one whose ROUND is `name`."""
    limit, change = fleet.registry.name, f"sdk.environment.ROUND={name}"
    return fleet.checkout.start(fleet.inventory, "-y", "--limit", limit, "--data", change, *options)


@dataclass(frozen=True)
class Ended:
    name: str
    run: Run
    began_s: float
    ended_s: float


def both(fleet: Fleet, names: tuple[str, str]) -> list[Ended]:
    """Have two deploy at once; return how each ended."""
    began = {name: (time.monotonic(), start_caller(fleet, name)) for name in names}
    ended: dict[str, Ended] = {}
    while len(ended) < len(names):
        for name, (began_s, running) in began.items():
            if name not in ended and not running.is_running:
                ended[name] = Ended(name, running.wait(), began_s, time.monotonic())
        time.sleep(0.01)
    return list(ended.values())


@pytest.mark.parametrize("pairs", [2, pytest.param(50, marks=pytest.mark.full)])
def test_of_two_that_deploy_at_once_one_changes_something(fleet: Fleet, pairs: int) -> None:
    overlapping = 0
    for number in range(pairs):
        since = now_of(fleet.registry)
        ended = both(fleet, (f"a{pairs}-{number}", f"b{pairs}-{number}"))
        [winner] = [e for e in ended if e.run.exit_code == 0]
        [loser] = [e for e in ended if e.run.exit_code == 1]
        assert re.search(
            rf"lease: (held by|changed since the survey, by) {HOLDER}",
            "\n".join(loser.run.problems),
        ), loser.run.output
        assert loser.run.done == []
        assert len(winner.run.done) == 1, winner.run.output
        assert replaced(changes_since(fleet, since)) == [fleet.registry.name]
        assert rounds(fleet, CALLER) == {fleet.registry.name: winner.name}
        assert is_free(fleet)
        overlapping += loser.began_s < winner.ended_s and winner.began_s < loser.ended_s
    assert overlapping >= 0.9 * pairs


@pytest.mark.full
def test_one_that_was_suspended_past_its_lease_changes_nothing_more(fleet: Fleet) -> None:
    suspended = start_engine(fleet, "app-1", "suspended", *SHORT)
    suspended.wait_for(r"draining .*:1080")
    suspended.send(signal.SIGSTOP)
    await_expiry(fleet.hosts, 2 * SHORT_S)
    other = start_engine(fleet, "app-1", "other").wait()
    assert other.exit_code == 0, other.output
    since = now_of(fleet.registry)

    suspended.send(signal.SIGCONT)
    run = suspended.wait(60)
    assert run.exit_code == 1, run.output
    assert re.search(
        rf"lease: it is not this run's any more: {re.escape(OWNER)} took it", run.output
    )
    assert run.done == []
    assert changes_since(fleet, since) == []
    assert rounds(fleet, ENGINE)["app-1"] == "other"
    assert marks(fleet.registry) == []
    assert is_free(fleet)


@pytest.mark.full
def test_one_that_was_killed_blocks_the_next_until_its_lease_runs_out(fleet: Fleet) -> None:
    killed = start_caller(fleet, "killed", *SHORT)
    killed.wait_for(r"\[registry-1\] +replace container")
    killed.send(signal.SIGKILL)
    refused = start_caller(fleet, "next").wait()
    assert refused.exit_code == 1, refused.output
    [problem] = refused.problems
    assert re.match(
        rf"app-1: lease: held by {HOLDER}, until \d\d:\d\d:\d\d unless renewed, as 3 hosts more; "
        "wait for it; that of a run that died runs out by itself",
        problem,
    )
    assert refused.done == []

    await_expiry(fleet.hosts, 2 * SHORT_S)
    following = start_caller(fleet, "next").wait()
    assert following.exit_code == 0, following.output
    assert rounds(fleet, CALLER) == {fleet.registry.name: "next"}


STEPS = [
    r"Beginning operation run",
    r"draining .*:1080",
    r"\[app-1\] +replace container",
    r"^ +\+ app-1",
    r"batch 2 of",
    r"Starting operation: Proxy",
]


@pytest.mark.full
@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_at_any_step_gives_the_lease_back_and_tells_what_runs(
    fleet: Fleet, step: str
) -> None:
    change = f"soa_engine.environment.ROUND={STEPS.index(step)}-{time.time():.0f}"
    running = fleet.checkout.start(fleet.inventory, "-y", "--data", change)
    running.wait_for(step)
    running.interrupt()
    run = running.wait(120)
    assert run.exit_code == 130, run.output
    assert is_free(fleet)
    assert marks(fleet.registry) == []
    _, summary = run.output.split("--> What runs now:")
    told = [line.split() for line in summary.splitlines() if line.strip()]
    ours = of_each(fleet.hosts, containers)
    assert {(host, name) for host, _, name, *_ in told} == {
        (host, name) for host, found in ours.items() for name in found
    }
    assert {words[-1] for words in told} == {"running"}
