"""How a part's containers are rolled out, on this machine with a `docker` that writes down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.container.instance import Instance
from roles.container.plan import container_changes
from roles.container.rollout import Rollout, prove_steady
from roles.observed import Container
from roles.run.conductor import Away, NotProven
from roles.run.fleet import Fleet, Member
from roles.soa_engine.plan import container, successor
from tests.unit.build import fleet, look_again, member, running, serving, state_of
from tests.unit.container.fake_docker import Docker

SECOND = {"second_port": 1081}
FLEET = fleet("app-1", "registry-1")
WITH_SECOND = fleet(member("app-1", soa_engine=SECOND), "registry-1")
SPEC = container(FLEET, FLEET["app-1"])


def other(name: str = "engine", is_running: bool = True) -> Container:
    """A container that was made otherwise."""
    return running(replace(SPEC, name=name, image="engine:0"), is_running)


def having(found: Fleet, *containers: Container) -> Fleet:
    return look_again(found, "app-1", containers=containers)


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")


@dataclass
class Story:
    """What the steps of a rollout told, in order, between the calls of `docker`."""

    docker: Docker
    fails: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.steps: list[str] = []
        self.aways: list[Away] = []
        self._seen = 0

    def tell(self, step: str) -> None:
        self.hear_docker()
        self.steps.append(step)
        if step in self.fails:
            raise NotProven(f"no sign of: {step}")

    def hear_docker(self) -> None:
        told = self.docker.told
        self.steps += told[self._seen :]
        self._seen = len(told)

    def rollout(self, **instead: Any) -> Rollout:
        @contextmanager
        def aside(
            state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
        ) -> Iterator[None]:
            self.aways.append(away)
            self.tell(f"aside {_named(instance)}")
            try:
                yield
            finally:
                self.tell(f"end aside {_named(instance)}")

        def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
            self.tell(f"prove {_named(instance)}")

        def ready(state: State, fleet: Fleet, member: Member) -> None:
            self.tell(f"ready {member.name}")

        steps = {"prove": prove, "aside": aside, "ready": ready}
        return Rollout("soa_engine", container, **{**steps, **instead})


def _named(instance: Instance) -> str:
    return f"{instance.name}:{instance.environment['EXPORT_PORT']}"


@pytest.fixture
def story(docker: Docker) -> Story:
    return Story(docker)


def conducted(story: Story, found: Fleet, **instead: Any) -> bool | None:
    """Run what the operation would yield; None where it yields nothing."""
    story.docker.holds(*(c for m in found for c in m.observed.containers if m.name == "app-1"))
    state = state_of(found)
    commands = list(story.rollout(**instead).commands(state))
    if not commands:
        return None
    (command,) = commands
    host = state.inventory.get_host(found.members[0].name)
    done: bool = command.function(state, host)  # type: ignore[attr-defined]
    story.hear_docker()
    return done


def test_nothing_is_yielded_where_nothing_is_to_do(story: Story) -> None:
    assert conducted(story, serving(FLEET)) is None
    assert story.steps == []


@pytest.mark.parametrize(
    "found, steps",
    [
        ((), ["run engine", "prove engine:1080"]),
        ((running(SPEC, is_running=False),), ["start engine", "prove engine:1080"]),
        (
            (running(replace(SPEC, pids=8)),),
            ["update --pids-limit -1 engine", "prove engine:1080"],
        ),
        (
            (other(),),
            [
                "aside engine:1080",
                "stop --time 30 engine",
                "rename engine engine-before",
                "update --restart no engine-before",
                "run engine",
                "end aside engine:1080",
                "prove engine:1080",
                "rm --volumes engine-before",
            ],
        ),
        (
            (other(is_running=False),),
            [
                "stop --time 30 engine",
                "rename engine engine-before",
                "update --restart no engine-before",
                "run engine",
                "prove engine:1080",
                "rm --volumes engine-before",
            ],
        ),
        (
            (running(SPEC), other("engine-before", is_running=False)),
            ["prove engine:1080", "rm --volumes engine-before"],
        ),
        (
            (running(SPEC), other("engine-next")),
            [
                "aside engine-next:1080",
                "stop --time 30 engine-next",
                "rm --volumes engine-next",
                "end aside engine-next:1080",
                "prove engine:1080",
            ],
        ),
    ],
    ids=["create", "start", "update", "replace", "replace-stopped", "tidy-stopped", "tidy-running"],
)
def test_only_who_serves_is_set_aside_and_all_are_proven(
    story: Story, found: tuple[Container, ...], steps: list[str]
) -> None:
    assert conducted(story, having(FLEET, *found)) is True
    assert story.steps == steps


@pytest.mark.parametrize(
    "port, next_port", [(1080, 1081), (1081, 1080)], ids=["to the second", "to the first"]
)
def test_a_successor_is_proven_before_the_old_one_is_set_aside(
    story: Story, port: int, next_port: int
) -> None:
    made = replace(SPEC, image="engine:0", environment={"EXPORT_PORT": str(port)})
    found = having(WITH_SECOND, running(made))
    assert conducted(story, found, successor=successor) is True
    assert story.steps == [
        "run engine-next",
        f"prove engine-next:{next_port}",
        f"aside engine:{port}",
        "stop --time 30 engine",
        f"end aside engine:{port}",
        f"prove engine-next:{next_port}",
        "rename engine engine-before",
        "rename engine-next engine",
        "rm --volumes engine-before",
    ]
    assert f"EXPORT_PORT={next_port}\n" in story.docker.stdin
    assert story.docker.containers == {"engine": "new runs"}


@pytest.mark.parametrize(
    "found, steps",
    [
        ((), ["run engine", "prove engine:1080"]),
        (
            (running(replace(SPEC, pids=8)),),
            ["update --pids-limit -1 engine", "prove engine:1080"],
        ),
        (
            (running(SPEC), other("engine-next")),
            [
                "aside engine-next:1080",
                "stop --time 30 engine-next",
                "rm --volumes engine-next",
                "end aside engine-next:1080",
                "prove engine:1080",
            ],
        ),
        (
            (other(is_running=False),),
            [
                "stop --time 30 engine",
                "rename engine engine-before",
                "update --restart no engine-before",
                "run engine",
                "prove engine:1080",
                "rm --volumes engine-before",
            ],
        ),
    ],
    ids=["create", "update", "tidy", "replace-stopped"],
)
def test_a_successor_starts_only_beside_one_that_is_to_be_replaced(
    story: Story, found: tuple[Container, ...], steps: list[str]
) -> None:
    assert conducted(story, having(WITH_SECOND, *found), successor=successor) is True
    assert story.steps == steps


def test_a_successor_runs_the_image_that_is_delivered(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record must name it: the next run would replace it again."""
    made: list[str | None] = []
    monkeypatch.setattr(
        "roles.container.replacement.Replacement._begin",
        lambda self, step, told: made.append(told and told.image_id),
    )
    monkeypatch.setattr(
        "roles.container.plan.delivered_ids", lambda fleet: {SPEC.image: "sha256:new"}
    )
    conducted(story, having(WITH_SECOND, other()), successor=successor)
    assert made == ["sha256:new"]


def test_what_is_not_proven_is_put_back_and_that_is_proven(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    proofs = iter([NotProven("it is not registered"), None])

    def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
        story.tell(f"prove {_named(instance)}")
        if error := next(proofs):
            raise error

    story.docker.logs("echo 'no such class'")
    assert conducted(story, having(FLEET, other()), prove=prove) is False
    assert story.steps[6:] == [
        "prove engine:1080",
        "aside engine:1080",
        "update --restart no engine",
        "logs --tail 15 engine",
        "stop --time 30 engine",
        "rename engine engine-failed",
        "rename engine-before engine",
        "update --restart no engine",
        "start engine",
        "end aside engine:1080",
        "prove engine:1080",
    ]
    assert story.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}
    assert "engine: no such class" in caplog.text
    told = "it is not registered; engine as it was before runs, and serves"
    assert f"app-1: replace container engine: {told}" in caplog.text


BACK_FROM_BESIDE = [
    "start engine",
    "prove engine:1080",
    "aside engine-next:1081",
    "update --restart no engine-next",
    "logs --tail 15 engine-next",
    "stop --time 30 engine-next",
    "rename engine-next engine-failed",
    "end aside engine-next:1081",
    "prove engine:1080",
]


def test_a_successor_that_is_not_proven_leaves_the_old_one_serving(story: Story) -> None:
    story.fails = ("prove engine-next:1081",)
    assert conducted(story, having(WITH_SECOND, other()), successor=successor) is False
    assert story.steps == [
        "run engine-next",
        "prove engine-next:1081",
        *BACK_FROM_BESIDE,
    ]
    assert story.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}


def failing_at(story: Story, count: int) -> Callable[[State, Fleet, Member, Instance], None]:
    """A proof that fails when it is asked for the `count`th time."""

    def prove(state: State, fleet: Fleet, member: Member, instance: Instance) -> None:
        story.tell(f"prove {_named(instance)}")
        if len([step for step in story.steps if step.startswith("prove")]) == count:
            raise NotProven("it is not registered")

    return prove


def test_the_old_one_serves_before_a_successor_that_serves_alone_is_stopped(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    found = having(WITH_SECOND, other())
    assert conducted(story, found, successor=successor, prove=failing_at(story, 2)) is False
    assert story.steps == [
        "run engine-next",
        "prove engine-next:1081",
        "aside engine:1080",
        "stop --time 30 engine",
        "end aside engine:1080",
        "prove engine-next:1081",
        *BACK_FROM_BESIDE,
    ]
    assert story.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}
    assert "it is not registered; engine as it was before runs, and serves" in caplog.text


def test_a_successor_stays_while_the_old_one_does_not_serve(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.fails = ("prove engine:1080",)
    found = having(WITH_SECOND, other())
    assert conducted(story, found, successor=successor, prove=failing_at(story, 2)) is False
    assert story.docker.containers == {"engine": "old runs", "engine-next": "new runs"}
    told = "what ran before is not put back, or not proven: no sign of: prove engine:1080"
    assert told in caplog.text


def test_a_successor_that_is_not_let_go_of_is_stopped_all_the_same(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.fails = ("prove engine-next:1081", "aside engine-next:1081")
    assert conducted(story, having(WITH_SECOND, other()), successor=successor) is False
    assert story.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}
    assert "is stopped though callers may notice: no sign of: aside engine-next" in caplog.text


def test_who_has_a_successor_is_relieved_and_not_set_aside(story: Story) -> None:
    @contextmanager
    def relieved(
        state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
    ) -> Iterator[None]:
        story.tell(f"relieved {_named(instance)}")
        yield

    found, prove = having(WITH_SECOND, other()), failing_at(story, 2)
    assert conducted(story, found, successor=successor, relieved=relieved, prove=prove) is False
    steps = [step for step in story.steps if step.split()[0] in ("aside", "relieved", "stop")]
    assert steps == [
        "relieved engine:1080",
        "stop --time 30 engine",
        "relieved engine-next:1081",
        "stop --time 30 engine-next",
    ]


REPLACED = [
    "stop --time 30 engine",
    "rename engine engine-before",
    "update --restart no engine-before",
    "run engine",
]
SUCCEEDED = [
    "run engine-next",
    "prove engine-next:1081",
    "aside engine:1080",
    "stop --time 30 engine",
    "end aside engine:1080",
    "prove engine-next:1081",
    "rename engine engine-before",
    "rename engine-next engine",
    "rm --volumes engine-before",
]
NEXT_REMOVED = [
    "aside engine-next:1080",
    "stop --time 30 engine-next",
    "rm --volumes engine-next",
    "end aside engine-next:1080",
]
BEFORE_REMOVED = ["stop --time 30 engine-before", "rm --volumes engine-before"]


@pytest.mark.parametrize(
    "left, told",
    [
        (
            (other(), other("engine-next")),
            [*NEXT_REMOVED, *SUCCEEDED],
        ),
        (
            (other(is_running=False), other("engine-next")),
            [
                "rename engine engine-before",
                "rename engine-next engine",
                "rm --volumes engine-before",
                *SUCCEEDED,
            ],
        ),
        (
            (other("engine-before", is_running=False), other("engine-next")),
            [*BEFORE_REMOVED, "rename engine-next engine", *SUCCEEDED],
        ),
    ],
    ids=["after the start beside", "after the stop of the old one", "between the renames"],
)
def test_a_successor_goes_on_where_a_run_ended(
    story: Story, left: tuple[Container, ...], told: list[str]
) -> None:
    """What runs is never stopped before callers have let go of it."""
    assert conducted(story, having(WITH_SECOND, *left), successor=successor) is True
    assert story.steps == told
    assert story.docker.containers == {"engine": "new runs"}


@pytest.mark.parametrize(
    "left, first, aside",
    [
        ((other(), other("engine-next")), [*NEXT_REMOVED, "aside engine:1080"], "engine:1080"),
        (
            (other(is_running=False), other("engine-next")),
            [
                "aside engine-next:1080",
                "rename engine engine-before",
                "rename engine-next engine",
                "rm --volumes engine-before",
            ],
            "engine-next:1080",
        ),
        (
            (other("engine-before", is_running=False), other("engine-next")),
            [*BEFORE_REMOVED, "aside engine-next:1080", "rename engine-next engine"],
            "engine-next:1080",
        ),
    ],
    ids=["both run", "the old one is stopped", "between the renames"],
)
def test_a_replacement_goes_on_where_a_run_ended(
    story: Story, left: tuple[Container, ...], first: list[str], aside: str
) -> None:
    assert conducted(story, having(FLEET, *left)) is True
    assert story.steps == [
        *first,
        *REPLACED,
        f"end aside {aside}",
        "prove engine:1080",
        "rm --volumes engine-before",
    ]
    assert story.docker.containers == {"engine": "new runs"}


@pytest.mark.parametrize(
    "left, steps",
    [
        (
            (
                running(SPEC),
                other("engine-before", is_running=False),
                other("engine-next"),
            ),
            [
                *NEXT_REMOVED,
                "prove engine:1080",
                "rm --volumes engine-before",
            ],
        ),
        (
            (running(replace(SPEC, name="engine-next")),),
            ["rename engine-next engine", "prove engine:1080"],
        ),
        (
            (other(is_running=False), running(replace(SPEC, name="engine-next"))),
            [
                "rename engine engine-before",
                "rename engine-next engine",
                "rm --volumes engine-before",
                "prove engine:1080",
            ],
        ),
    ],
    ids=["both are left", "only the new one", "the old one is stopped"],
)
def test_what_runs_as_wanted_is_tidied_up_without_its_end(
    story: Story, left: tuple[Container, ...], steps: list[str]
) -> None:
    assert conducted(story, having(FLEET, *left)) is True
    assert story.steps == steps
    assert story.docker.containers == {"engine": "old runs"}


def test_what_is_not_let_go_of_is_not_removed(story: Story) -> None:
    story.fails = ("aside engine-next:1080",)
    assert conducted(story, having(FLEET, running(SPEC), other("engine-next"))) is False
    assert story.steps == ["aside engine-next:1080"]


def test_docker_refusing_ends_the_rollout(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    story.docker.refuses("run engine")
    assert conducted(story, FLEET) is False
    assert story.steps == ["run engine"]
    assert "app-1: create container engine: " in caplog.text
    assert "port is already allocated" in caplog.text


TWO = fleet("app-1", "app-2", "registry-1")


@pytest.mark.parametrize(
    "found, steps",
    [
        ((other(),), ["ready app-2", "aside engine:1080"]),
        ((), ["run engine", "prove engine:1080"]),
        ((running(replace(SPEC, pids=8)),), ["update --pids-limit -1 engine"]),
    ],
    ids=["replace", "create", "update"],
)
def test_those_that_stay_must_be_ready_before_one_is_interrupted(
    story: Story, found: tuple[Container, ...], steps: list[str]
) -> None:
    assert conducted(story, having(serving(TWO), *found)) is True
    assert story.steps[: len(steps)] == steps
    assert ("ready app-2" in story.steps) is (steps[0] == "ready app-2")


def test_none_is_interrupted_while_another_is_not_ready(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.fails = ("ready app-2",)
    assert conducted(story, having(serving(TWO), other())) is False
    assert story.steps == ["ready app-2"]
    assert (
        "app-2: soa_engine is not ready, so no other host is interrupted: no sign of: ready app-2"
    ) in caplog.text


def old_fleet(**pace: Any) -> Fleet:
    """Three hosts whose engine is to be replaced."""
    names = ("app-1", "app-2", "app-3")
    found = fleet(*(member(name, rollout=pace) for name in names), "registry-1")
    for name in names:
        found = look_again(found, name, containers=(other(),))
    return found


@pytest.mark.parametrize(
    "pace, instead, aways",
    [
        ({}, {}, ["app-1", "app-2", "app-3"]),
        ({"batch": 3, "canary": False}, {}, ["app-1+app-2+app-3"] * 3),
        ({"batch": "67%", "canary": False}, {}, ["app-1+app-2"] * 2 + ["app-3"]),
        (
            {"batch": 3, "canary": False},
            {"one_at_a_time": lambda members: True},
            ["app-1", "app-2", "app-3"],
        ),
        (
            {},
            {"order": lambda state, fleet, members: members[::-1]},
            ["app-3", "app-2", "app-1"],
        ),
    ],
    ids=["one by one", "all", "a share", "never more than one", "another order"],
)
def test_how_many_are_away_at_a_time_and_in_which_order(
    story: Story,
    monkeypatch: pytest.MonkeyPatch,
    pace: dict[str, Any],
    instead: dict[str, Any],
    aways: list[str],
) -> None:
    monkeypatch.setattr("roles.container.replacement.Replacement.stop_first", lambda self: None)
    monkeypatch.setattr("roles.container.replacement.Replacement.settle", lambda self: None)
    assert conducted(story, old_fleet(**pace), **instead) is True
    assert ["+".join(sorted(away)) for away in story.aways] == aways


def test_an_order_that_cannot_be_told_touches_nothing(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    def order(state: State, fleet: Fleet, members: list[Member]) -> list[Member]:
        raise ConnectionError("nobody answers")

    assert conducted(story, old_fleet(), order=order) is False
    assert story.steps == []
    assert "soa_engine: nobody answers" in caplog.text


@pytest.fixture
def steady(
    state: State, host: Host, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Prove a container steady that is so first, and then so."""

    def prove(before: str, after: str) -> None:
        docker.becomes("engine", before)
        monkeypatch.setattr(
            "roles.container.rollout.gevent.sleep", lambda _: docker.becomes("engine", after)
        )
        prove_steady(state, host, "engine")

    return prove


def test_a_container_that_stays_up_is_steady(steady: Callable[[str, str], None]) -> None:
    steady("true then", "true then")


@pytest.mark.parametrize(
    "before, after",
    [("true then", "true now"), ("true then", "false then"), ("false then", "false then")],
    ids=["started again", "ended", "never ran"],
)
def test_a_container_that_does_not_stay_up_is_not(
    steady: Callable[[str, str], None], before: str, after: str
) -> None:
    with pytest.raises(NotProven, match=r"^container engine does not stay up$"):
        steady(before, after)


KEPT = other("engine-before", is_running=False)


@pytest.mark.parametrize(
    "left, begun",
    [
        ((), ["run engine"]),
        (
            (other(is_running=False),),
            ["stop --time 30 engine", "rm --volumes engine", "run engine"],
        ),
        ((running(SPEC, is_running=False),), ["start engine"]),
    ],
    ids=["alone", "beside a stopped one", "beside a stopped one that is wanted"],
)
def test_what_was_kept_goes_only_when_another_serves(
    story: Story, left: tuple[Container, ...], begun: list[str]
) -> None:
    assert conducted(story, having(FLEET, KEPT, *left)) is True
    assert story.steps == [*begun, "prove engine:1080", "rm --volumes engine-before"]
    assert list(story.docker.containers) == ["engine"]


@pytest.mark.parametrize(
    "left",
    [(), (other(is_running=False),), (running(SPEC, is_running=False),)],
    ids=["alone", "beside a stopped one", "beside a stopped one that is wanted"],
)
def test_what_was_kept_runs_again_where_the_next_one_fails(
    story: Story, caplog: pytest.LogCaptureFixture, left: tuple[Container, ...]
) -> None:
    found, prove = having(FLEET, KEPT, *left), failing_at(story, 1)
    assert conducted(story, found, prove=prove) is False
    assert [step for step in story.steps if "aside" not in step][-9:] == [
        "prove engine:1080",
        "update --restart no engine",
        "logs --tail 15 engine",
        "stop --time 30 engine",
        "rename engine engine-failed",
        "rename engine-before engine",
        f"update --restart {SPEC.restart} engine",
        "start engine",
        "prove engine:1080",
    ]
    assert story.docker.containers["engine"] == "old runs"
    assert list(story.docker.containers) == ["engine", "engine-failed"]
    assert "it is not registered; engine as it was before runs, and serves" in caplog.text


@pytest.mark.parametrize("left", [(), (other(is_running=False),)], ids=["alone", "beside another"])
def test_what_was_kept_runs_again_where_no_next_one_can_be_made(
    story: Story, left: tuple[Container, ...]
) -> None:
    story.docker.refuses("run engine")
    assert conducted(story, having(FLEET, KEPT, *left)) is False
    assert story.docker.containers == {"engine": "old runs"}
    assert story.steps[-2:] == ["start engine", "prove engine:1080"]


def test_a_new_one_that_may_serve_is_set_aside_before_the_old_one_is_put_back(story: Story) -> None:
    """Also where the old one did not run, and nobody had to be set aside for the change."""
    found, prove = having(FLEET, other(is_running=False)), failing_at(story, 1)
    assert conducted(story, found, prove=prove) is False
    proven = story.steps.index("prove engine:1080")
    assert "aside engine:1080" not in story.steps[:proven]
    assert story.steps[proven + 1] == "aside engine:1080"
    assert story.docker.containers == {"engine": "old stopped", "engine-failed": "new stopped"}


def test_what_fails_inside_leaves_the_aside_by_its_error(story: Story) -> None:
    @contextmanager
    def aside(
        state: State, fleet: Fleet, member: Member, instance: Instance, away: Away
    ) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            story.tell(f"ask back after {type(error).__name__}")
            raise

    story.docker.refuses("run engine")
    assert conducted(story, having(FLEET, other()), aside=aside) is False
    assert story.steps[-3:] == [
        "start engine",
        "ask back after RemoteError",
        "prove engine:1080",
    ]


def test_an_old_one_that_runs_beside_the_new_one_is_stopped_before_it_is_removed(
    story: Story,
) -> None:
    assert conducted(story, having(FLEET, running(SPEC), other("engine-before"))) is True
    assert "stop --time 30 engine-before" in story.steps
    assert story.docker.containers == {"engine": "old runs"}


@pytest.mark.parametrize(
    "found, instead, steps",
    [
        (
            FLEET,
            {},
            [
                "aside engine:1080",
                "update --restart no engine",
                "logs --tail 15 engine",
                "stop --time 30 engine",
                "rename engine engine-failed",
                "rename engine-before engine",
                "update --restart no engine",
                "start engine",
                "end aside engine:1080",
                "prove engine:1080",
            ],
        ),
        (WITH_SECOND, {"successor": successor}, BACK_FROM_BESIDE),
    ],
    ids=["stop first", "start first"],
)
def test_one_that_is_proven_goes_back_while_it_is_not_settled(
    story: Story, found: Fleet, instead: dict[str, Any], steps: list[str]
) -> None:
    """A later host may fail."""
    found, away = having(found, other()), frozenset({"app-1"})
    story.docker.holds(other())
    [(one, spec, change)] = container_changes(found, "soa_engine", container)
    rollout = story.rollout(**instead)
    treated = rollout._treatment(state_of(found), found, one, spec, change)
    with treated.aside(away):
        treated.apply(away)
    treated.prove()
    story.hear_docker()
    proven = len(story.steps)
    assert treated.take_back
    with treated.aside(away):
        assert treated.take_back(away) == "engine as it was before runs"
    treated.prove_back()
    assert story.steps[proven : proven + len(steps)] == steps
    assert story.docker.containers == {"engine": "old runs", "engine-failed": "new stopped"}
