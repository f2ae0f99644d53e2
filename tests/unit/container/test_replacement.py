"""What Docker is told for each change, on this machine with a `docker` that only writes down."""

from __future__ import annotations

import fcntl
import logging
from dataclasses import replace
from pathlib import Path as File
from signal import SIGHUP

import gevent
import pytest
from gevent.subprocess import PIPE, Popen
from pyinfra.api import Host, State

from roles.container import commands
from roles.container.instance import Instance, current, kept
from roles.container.plan import container_change
from roles.container.replacement import Replacement
from roles.observed import Container
from roles.observed.channel import RemoteError
from roles.run.conductor import NotProven
from roles.soa_engine.plan import container
from tests.unit.build import fitted, fleet, member, running
from tests.unit.container.fake_docker import Docker

FLEET = fleet(
    member("app-1", soa_engine={"environment": {"PASSWORD": "se cret"}, "pids": 64}), "registry-1"
)
SPEC = container(FLEET, FLEET["app-1"])
AS_WANTED = running(SPEC)
STOPPED = running(SPEC, is_running=False)
WITH_OTHER_LIMIT = running(replace(SPEC, pids=32))


def other(name: str = "engine", is_running: bool = True) -> Container:
    """A container that was made otherwise, and is restarted as nobody wants it any more."""
    made = running(replace(SPEC, name=name, image="engine:0"), is_running)
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}
    return replace(made, inspect={**(made.inspect or {}), "HostConfig": policy})


def beside(kind: str, is_running: bool = False) -> Container:
    return other(f"engine-{kind}", is_running)


OLD = other()


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")


class Machine:
    """This machine as the host `app-1`, with its `docker`."""

    def __init__(self, state: State, host: Host, docker: Docker) -> None:
        self.state, self.host, self.docker = state, host, docker

    def replacement(self, *found: Container, ready_timeout_s: int = 1) -> Replacement:
        """What is to be done where these containers are found."""
        self.docker.holds(*found)
        observed = fitted(containers=found)
        change = container_change("app-1", SPEC, observed)
        assert change
        old = current(observed, "engine")
        back = kept(observed, "engine")
        return Replacement(self.state, self.host, SPEC, change, old, ready_timeout_s, back)


@pytest.fixture
def machine(state: State, host: Host, docker: Docker) -> Machine:
    return Machine(state, host, docker)


CLEAR_NEXT = ["stop --time 30 engine-next", "rm --volumes engine-next"]
CLEAR_BEFORE = ["stop --time 30 engine-before", "rm --volumes engine-before"]
REPLACE = [
    "stop --time 30 engine",
    "rename engine engine-before",
    "update --restart no engine-before",
    "run engine",
]


@pytest.mark.parametrize(
    "found, told, left",
    [
        ((), ["run engine"], {"engine": "new runs"}),
        (
            (beside("before"), beside("failed")),
            ["run engine"],
            {
                "engine": "new runs",
                "engine-before": "old stopped",
                "engine-failed": "old stopped",
            },
        ),
        ((STOPPED,), ["start engine"], {"engine": "old runs"}),
        ((WITH_OTHER_LIMIT,), ["update --pids-limit 64 engine"], {"engine": "old runs"}),
        ((OLD,), REPLACE, {"engine": "new runs", "engine-before": "old stopped"}),
        (
            (beside("next", is_running=True),),
            ["rename engine-next engine", *REPLACE],
            {"engine": "new runs", "engine-before": "old stopped"},
        ),
        (
            (beside("before"), beside("next", is_running=True)),
            ["rm --volumes engine-before", "rename engine-next engine", *REPLACE],
            {"engine": "new runs", "engine-before": "old stopped"},
        ),
    ],
    ids=[
        "create",
        "create-beside-what-was-kept",
        "start",
        "update",
        "replace",
        "replace-what-serves-as-the-next-one",
        "replace-what-serves-as-the-next-one-over-what-was-kept",
    ],
)
def test_the_old_one_is_stopped_first(
    machine: Machine, found: tuple[Container, ...], told: list[str], left: dict[str, str]
) -> None:
    machine.replacement(*found).stop_first()
    assert machine.docker.told == told
    assert machine.docker.containers == left


@pytest.mark.parametrize(
    "found, told, left",
    [
        ((OLD,), [], ["engine"]),
        ((OLD, beside("failed")), [], ["engine", "engine-failed"]),
        ((OLD, beside("next")), CLEAR_NEXT, ["engine"]),
        ((OLD, beside("next", is_running=True)), CLEAR_NEXT, ["engine"]),
        ((OLD, beside("before")), CLEAR_BEFORE, ["engine"]),
        ((OLD, beside("before", is_running=True)), CLEAR_BEFORE, ["engine"]),
        ((OLD, beside("next"), beside("before")), [*CLEAR_NEXT, *CLEAR_BEFORE], ["engine"]),
        ((beside("before"),), [], ["engine-before"]),
        ((beside("before"), beside("next")), CLEAR_NEXT, ["engine-before"]),
        ((beside("next", is_running=True),), [], ["engine-next"]),
        (
            (beside("before"), beside("next", is_running=True)),
            CLEAR_BEFORE,
            ["engine-next"],
        ),
        (
            (other(is_running=False), beside("before"), beside("next", is_running=True)),
            CLEAR_BEFORE,
            ["engine", "engine-next"],
        ),
    ],
    ids=[
        "nothing",
        "failed",
        "next",
        "next-that-runs",
        "before",
        "before-that-runs",
        "both",
        "before-alone",
        "before-and-next",
        "next-that-serves",
        "before-and-next-that-serves",
        "before-and-a-stopped-one-and-next-that-serves",
    ],
)
def test_what_an_earlier_run_has_left_is_removed(
    machine: Machine, found: tuple[Container, ...], told: list[str], left: list[str]
) -> None:
    """Neither what serves, nor the last one that there is to go back to."""
    machine.replacement(*found).remove_leftovers()
    assert machine.docker.told == told
    assert list(machine.docker.containers) == left


@pytest.mark.parametrize(
    "found, told",
    [
        ((OLD,), []),
        ((beside("next", is_running=True),), ["rename engine-next engine"]),
        (
            (beside("before"), beside("next", is_running=True)),
            ["rm --volumes engine-before", "rename engine-next engine"],
        ),
        (
            (other(is_running=False), beside("next", is_running=True)),
            [
                "rename engine engine-before",
                "rename engine-next engine",
                "rm --volumes engine-before",
            ],
        ),
    ],
    ids=["has-its-name", "alone", "between-the-renames", "beside-a-stopped-one"],
)
def test_what_serves_as_the_next_one_gets_its_name(
    machine: Machine, found: tuple[Container, ...], told: list[str]
) -> None:
    machine.replacement(*found).adopt()
    assert machine.docker.told == told
    assert machine.docker.containers == {"engine": "old runs"}


def test_a_container_is_told_its_variables_by_stdin(machine: Machine) -> None:
    machine.replacement().stop_first()
    assert "PASSWORD=se cret\n" in machine.docker.stdin
    assert "EXPORT_IP=198.18.0.11\n" in machine.docker.stdin


@pytest.mark.parametrize(
    "found, told",
    [
        ((OLD,), ["run engine-next"]),
        (
            (beside("next", is_running=True),),
            ["rename engine-next engine", "run engine-next"],
        ),
    ],
    ids=["alone", "beside-what-serves-as-the-next-one"],
)
def test_the_new_one_is_started_beside(
    machine: Machine, found: tuple[Container, ...], told: list[str]
) -> None:
    second = replace(SPEC, environment={"EXPORT_PORT": "1081"})
    started = machine.replacement(*found).start_beside(second)
    assert started == Instance("engine-next", {"EXPORT_PORT": "1081"})
    assert machine.docker.told == told
    assert machine.docker.stdin == "EXPORT_PORT=1081\n"
    assert machine.docker.containers == {"engine": "old runs", "engine-next": "new runs"}


def test_the_new_one_takes_the_place_of_the_old_one(machine: Machine) -> None:
    replacement = machine.replacement(OLD)
    replacement.start_beside(SPEC)
    replacement.stop_old()
    assert machine.docker.containers == {"engine": "old stopped", "engine-next": "new runs"}
    replacement.settle()
    assert machine.docker.told == [
        "run engine-next",
        "stop --time 30 engine",
        "rename engine engine-before",
        "rename engine-next engine",
        "rm --volumes engine-before",
    ]
    assert machine.docker.containers == {"engine": "new runs"}


@pytest.mark.parametrize(
    "there, told",
    [
        ((OLD,), []),
        ((OLD, beside("before")), ["rm --volumes engine-before"]),
        ((OLD, beside("failed")), ["rm --volumes engine-failed"]),
        (
            (OLD, beside("before"), beside("failed")),
            ["rm --volumes engine-before", "rm --volumes engine-failed"],
        ),
    ],
    ids=["nothing", "old", "failed", "both"],
)
def test_what_was_kept_is_removed_in_the_end(
    machine: Machine, there: tuple[Container, ...], told: list[str]
) -> None:
    machine.replacement(*there).settle()
    assert machine.docker.told == told
    assert machine.docker.containers == {"engine": "old runs"}


BACK = ["rename engine-before engine", "update --restart on-failure:3 engine", "start engine"]
BACK_FROM_KEPT = [BACK[0], f"update --restart {SPEC.restart} engine", BACK[2]]


def set_aside(name: str, *, over_another: bool = False) -> list[str]:
    """What is told to keep a container that failed."""
    return [
        f"update --restart no {name}",
        f"logs --tail 15 {name}",
        *(["rm --volumes engine-failed"] if over_another else []),
        f"stop --time 30 {name}",
        f"rename {name} engine-failed",
    ]


@pytest.mark.parametrize(
    "old, there, told, left",
    [
        (OLD, ("engine",), ["start engine"], ["engine"]),
        (OLD, ("engine!",), ["start engine"], ["engine"]),
        (OLD, ("engine-before!",), BACK, ["engine"]),
        (
            OLD,
            ("engine", "engine-before!"),
            [*set_aside("engine"), *BACK],
            ["engine", "engine-failed!"],
        ),
        (
            OLD,
            ("engine!", "engine-before!", "engine-failed!"),
            [*set_aside("engine", over_another=True), *BACK],
            ["engine", "engine-failed!"],
        ),
        (None, (), [], []),
        (None, ("engine",), set_aside("engine"), ["engine-failed!"]),
        (STOPPED, ("engine!",), [], ["engine!"]),
        (
            other(is_running=False),
            ("engine", "engine-before!"),
            [*set_aside("engine"), *BACK[:2]],
            ["engine!", "engine-failed!"],
        ),
        (
            beside("before"),
            ("engine", "engine-before!"),
            [*set_aside("engine"), *BACK_FROM_KEPT],
            ["engine", "engine-failed!"],
        ),
    ],
    ids=[
        "nothing-done",
        "stopped",
        "new-not-made",
        "new-failing",
        "new-failing-again",
        "create-not-made",
        "create-failing",
        "start-failing",
        "replace-of-a-stopped-one-failing",
        "create-failing-beside-what-was-kept",
    ],
)
def test_the_way_back(
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    old: Container | None,
    there: tuple[str, ...],
    told: list[str],
    left: list[str],
) -> None:
    replacement = machine.replacement(*([old] if old else []))
    replacement.has_begun = True
    machine.docker.drop(*machine.docker.containers)
    machine.docker.holds(*(other(n.rstrip("!"), not n.endswith("!")) for n in there))
    machine.docker.logs("echo 'no such class' >&2")
    said = replacement.take_back()
    assert machine.docker.told == told
    states = {name: state.split()[1] for name, state in machine.docker.containers.items()}
    assert [f"{n}{'' if s == 'runs' else '!'}" for n, s in states.items()] == left
    assert said == ("engine as it was before runs" if "engine" in left else None)
    is_kept = "engine-failed!" in left
    assert ("is kept, stopped, as engine-failed" in caplog.text) is is_kept
    assert (": no such class" in caplog.text) is is_kept


def test_where_nothing_was_begun_nothing_is_taken_back(machine: Machine) -> None:
    """A leftover of the same names is not what this run has made."""
    replacement = machine.replacement(OLD, beside("before"))
    assert replacement.take_back() is None
    assert machine.docker.told == []


@pytest.mark.parametrize(
    "old_runs, new_runs", [(True, True), (False, False)], ids=["old-runs", "neither-runs"]
)
def test_the_way_back_from_a_new_one_beside(
    machine: Machine, old_runs: bool, new_runs: bool
) -> None:
    """The old one runs before the new one is touched."""
    replacement = machine.replacement(OLD)
    machine.docker.holds(other(is_running=old_runs), beside("next", new_runs))
    assert replacement.old_again() == "engine as it was before runs"
    assert machine.docker.told == ["start engine"]
    replacement.keep_failed("engine-next")
    assert machine.docker.told[1:] == set_aside("engine-next")
    assert machine.docker.containers == {"engine": "old runs", "engine-failed": "old stopped"}


def test_of_a_new_one_that_was_not_made_nothing_is_kept(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.replacement(OLD, beside("failed")).keep_failed("engine-next")
    assert machine.docker.told == []
    assert machine.docker.containers == {"engine": "old runs", "engine-failed": "old stopped"}
    assert "is kept" not in caplog.text


def test_one_that_was_found_paused_goes_on(machine: Machine) -> None:
    replacement = machine.replacement(OLD)
    machine.docker.pauses("engine")
    assert replacement.old_again() == "engine as it was before runs"
    assert machine.docker.told == ["unpause engine"]
    assert machine.docker.containers == {"engine": "old runs"}


def test_logs_that_do_not_come_hide_no_failure(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacement = machine.replacement(OLD)
    machine.docker.logs("sleep 9")
    monkeypatch.setattr("roles.container.exchange.DOCKER_S", 1)
    replacement.keep_failed("engine")
    assert machine.docker.told == set_aside("engine")


def test_docker_refusing_says_why_and_shows_no_secret(machine: Machine) -> None:
    machine.docker.refuses("run engine")
    with pytest.raises(RemoteError, match="exited with 125\nport is already allocated") as refused:
        machine.replacement().stop_first()
    assert "se cret" not in str(refused.value)


@pytest.mark.parametrize(
    "refused, told",
    [
        (REPLACE[0], [*REPLACE[:1], "start engine"]),
        (REPLACE[1], [*REPLACE[:2], "start engine"]),
        (REPLACE[2], [*REPLACE[:3], *BACK]),
        (REPLACE[3], [*REPLACE, *BACK]),
    ],
    ids=["stop", "rename", "update", "run"],
)
def test_where_docker_refuses_the_host_goes_back_by_itself(
    machine: Machine, refused: str, told: list[str]
) -> None:
    """The controller that asks once more is told the same, and nothing is done again."""
    replacement = machine.replacement(OLD)
    machine.docker.refuses(refused)
    with pytest.raises(RemoteError, match="port is already allocated"):
        replacement.stop_first()
    assert machine.docker.told == told
    assert machine.docker.containers == {"engine": "old runs"}
    assert replacement.take_back() == "engine as it was before runs"
    assert machine.docker.told == told


@pytest.mark.parametrize(
    "check, made, why",
    [
        (("CMD", "true"), "false 0", "does not stay up"),
        (("CMD", "false"), "true 0", "is not healthy"),
    ],
    ids=["ended", "unhealthy"],
)
def test_from_a_new_one_that_does_not_serve_the_host_goes_back_by_itself(
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    check: tuple[str, ...],
    made: str,
    why: str,
) -> None:
    machine.docker.has_health(*check)
    machine.docker.makes(made)
    machine.docker.logs("echo 'no such class' >&2")
    with pytest.raises(NotProven, match=why):
        machine.replacement(OLD).stop_first()
    assert machine.docker.told == [*REPLACE, *set_aside("engine"), *BACK]
    assert machine.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}
    assert "engine: no such class" in caplog.text


def test_whatever_of_the_way_back_is_refused_the_old_one_starts(machine: Machine) -> None:
    machine.docker.refuses(
        REPLACE[3], BACK[1], "update --restart no engine", "logs --tail 15 engine"
    )
    with pytest.raises(RemoteError):
        machine.replacement(OLD).stop_first()
    assert machine.docker.containers == {"engine": "old runs"}


def with_id(container_id: str) -> Container:
    return replace(OLD, inspect={**(OLD.inspect or {}), "Id": container_id})


@pytest.mark.parametrize(
    "old, there",
    [(with_id("one"), "engine"), (None, "engine")],
    ids=["another one", "one that was not there"],
)
def test_what_was_changed_since_it_was_looked_at_stays_as_it_is(
    machine: Machine, old: Container | None, there: str
) -> None:
    """A run whose controller died goes on: nothing is taken back of what it has made."""
    replacement = machine.replacement(*([old] if old else []))
    machine.docker.has_id("two")
    machine.docker.holds(other(there), beside("before"))
    with pytest.raises(RemoteError, match="engine was changed since it was looked at; run again"):
        replacement.stop_first()
    assert replacement.take_back() is None
    assert machine.docker.told == []


def test_the_one_that_was_looked_at_is_replaced(machine: Machine) -> None:
    machine.docker.has_id("one")
    machine.replacement(with_id("one")).stop_first()
    assert machine.docker.told == REPLACE


def test_a_connection_that_is_cut_before_all_variables_came_touches_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacement = machine.replacement(OLD)
    monkeypatch.setattr(commands, "environment_file", lambda spec: b"EXPORT_IP=198.18.0.11\nEXP")
    with pytest.raises(RemoteError, match="what container engine is to be told did not arrive"):
        replacement.stop_first()
    assert replacement.take_back() is None
    assert machine.docker.told == []


def test_an_exchange_waits_for_another_run_of_the_same_container(
    machine: Machine, tmp_path: File
) -> None:
    replacement = machine.replacement(OLD)
    with (tmp_path / "dockyard-container-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        exchange = gevent.spawn(replacement.stop_first)
        gevent.sleep(0.5)
        assert machine.docker.told == []
    exchange.get(timeout=10)
    assert machine.docker.told == REPLACE


def test_nobody_else_can_hold_an_exchange_up(machine: Machine, tmp_path: File) -> None:
    """A file that may be read may be locked."""
    lock = tmp_path / "dockyard-container-engine.lock"
    lock.touch(0o644)
    machine.replacement(OLD).stop_first()
    assert lock.stat().st_mode & 0o777 == 0o600


def test_an_exchange_outlives_its_connection(machine: Machine, tmp_path: File) -> None:
    """Hung up on, with nobody who reads what it says: it goes back all the same."""
    replacement = machine.replacement(OLD)
    machine.docker.has_health("CMD-SHELL", f"touch {tmp_path}/asked; sleep 0.3; false")
    command = replacement._exchange.command(["exchange", "replace", *commands.run(SPEC)[2:]])
    process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(commands.environment_file(SPEC))
    process.stdin.close()
    while not (tmp_path / "asked").exists():
        gevent.sleep(0.05)
    process.stdout.close()
    process.stderr.close()
    process.send_signal(SIGHUP)
    assert process.wait(10) == 1
    assert machine.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}


@pytest.mark.parametrize(
    "check, made, text",
    [
        ((), "true 0", None),
        ((), "false 0", None),
        (("NONE",), "true 0", None),
        (("CMD", "test", "-n", "two words"), "true 0", None),
        (("CMD-SHELL", "test -n 'two words' && true"), "true 0", None),
        (("CMD", "true"), "true 2", None),
        (("CMD", "true"), "false 0", "does not stay up"),
        (("CMD-SHELL", "echo true 3 >engine; false"), "true 0", "does not stay up"),
        (
            ("CMD-SHELL", "echo port 1080 is closed; false"),
            "true 0",
            "is not healthy 1 s after it was started; its health check says port 1080 is closed",
        ),
        (
            ("CMD", "false"),
            "true 0",
            "is not healthy 1 s after it was started; its health check says nothing",
        ),
    ],
    ids=[
        "no-check",
        "no-check-and-ended",
        "switched-off",
        "words",
        "shell",
        "restarted-twice",
        "ended",
        "restarted-again-and-again",
        "unhealthy",
        "unhealthy-and-silent",
    ],
)
def test_health(machine: Machine, check: str, made: str, text: str | None) -> None:
    machine.docker.has_health(*check)
    machine.docker.makes(made)
    if text is None:
        machine.replacement().stop_first()
        return
    limit_s = 1 if "not healthy" in text else 30
    with pytest.raises(NotProven) as found:
        machine.replacement(ready_timeout_s=limit_s).stop_first()
    assert str(found.value) == f"container engine {text}"


def test_one_that_ends_again_and_again_is_started_from_a_stop(machine: Machine) -> None:
    machine.docker.has_health("CMD", "true")
    replacement = machine.replacement(STOPPED)
    machine.docker.becomes("engine", "true 9")
    replacement.stop_first()
    assert machine.docker.told == ["stop --time 30 engine", "start engine"]


def test_health_is_asked_until_it_comes(machine: Machine) -> None:
    machine.docker.has_health("CMD-SHELL", "[ -e ../asked ] || ! touch ../asked")
    machine.replacement(ready_timeout_s=5).stop_first()


def test_health_of_the_new_one_is_asked_before_it_serves_beside(machine: Machine) -> None:
    machine.docker.has_health("CMD", "false")
    with pytest.raises(NotProven, match=r"^container engine-next is not healthy"):
        machine.replacement(OLD).start_beside(SPEC)


def test_a_new_one_beside_whose_start_hung_is_looked_for_and_stopped(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roles.container.exchange.DOCKER_S", 1)
    machine.docker.hangs_after("run engine-next")
    replacement = machine.replacement(OLD)
    with pytest.raises(RemoteError, match="docker run did not end within 1 s"):
        replacement.start_beside(SPEC)
    assert machine.docker.told == ["run engine-next", *set_aside("engine-next")]
    assert machine.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}
    assert replacement.is_back


@pytest.mark.parametrize("refused", [None, "stop --time 30 engine-next"], ids=["unseen", "runs"])
def test_where_a_new_one_may_run_beside_all_is_not_as_before(
    machine: Machine, refused: str | None
) -> None:
    """The controller goes on from there, and says what it could not do."""
    machine.docker.has_health("CMD", "false")
    machine.docker.refuses(*([refused] if refused else []))
    machine.docker.is_blind(refused is None)
    replacement = machine.replacement(OLD)
    with pytest.raises(NotProven):
        replacement.start_beside(SPEC)
    assert not replacement.is_back
    if refused is None:
        with pytest.raises(RemoteError, match="docker ps exited with 1"):
            replacement.keep_failed("engine-next")
        machine.docker.is_blind(False)
        replacement.keep_failed("engine-next")
        assert machine.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}


@pytest.mark.parametrize(
    "refused, why",
    [
        ("rename engine engine-failed", "what ran before is still engine-before"),
        (None, "docker ps"),
    ],
    ids=["it can not be put aside", "nobody can tell"],
)
def test_a_new_one_that_runs_is_not_taken_for_the_old_one(
    machine: Machine, refused: str | None, why: str
) -> None:
    replacement = machine.replacement(OLD)
    replacement.stop_first()
    machine.docker.refuses(*([refused] if refused else []))
    machine.docker.is_blind(refused is None)
    with pytest.raises(RemoteError, match=why):
        replacement.take_back()
    assert not replacement.is_back


def test_that_there_is_no_check_is_said(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.replacement().stop_first()
    assert "is not provable: the image has no health check" in caplog.text


def test_what_is_being_done_is_said(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.replacement(OLD).stop_first()
    assert "replace container engine" in caplog.text
