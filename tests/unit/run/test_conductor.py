from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import gevent
import pytest
from gevent.event import Event
from pyinfra.api import State

from roles.observed import is_fresh, observe
from roles.observed.channel import LeaseLost, RemoteError
from roles.observed.holding import Holding, hold
from roles.run import conductor, interrupt
from roles.run.changes import Change
from roles.run.conductor import Away, NotProven, Treatment, wait_until
from roles.run.pace import Pace
from tests.unit.build import local_state

NAMES = ("app-1", "app-2", "app-3")
Steps = list[str]
WHOLE = ("drain", "apply", "undrain", "prove", "settle")


@pytest.fixture
def state() -> State:
    return local_state(*NAMES)


@pytest.fixture
def steps() -> Steps:
    return []


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pyinfra")


def treatment(
    state: State,
    name: str,
    steps: Steps,
    interrupts: bool = True,
    /,
    can_go_back: bool = False,
    **instead: Callable[[], None],
) -> Treatment:
    """A treatment that writes its steps down; `instead` takes the place of a step's end."""

    def take(kind: str) -> None:
        steps.append(f"{kind} {name}")
        instead.get(kind, lambda: None)()

    @contextmanager
    def aside(away: Away) -> Iterator[None]:
        take("drain")
        try:
            yield
        finally:
            take("undrain")

    def take_back(away: Away) -> str:
        take("take back")
        return "what was before runs again"

    return Treatment(
        host=state.inventory.get_host(name),
        changes=(
            Change(name, "soa_engine", "replace container engine", "image 1 -> 2", interrupts),
        ),
        aside=aside,
        apply=lambda away: take("apply"),
        prove=lambda: take("prove"),
        settle=lambda: take("settle"),
        take_back=take_back if can_go_back else None,
        prove_back=lambda: take("prove back"),
    )


def conduct(state: State, treatments: list[Treatment], **pace: object) -> bool:
    return conductor.conduct(state, treatments, Pace.model_validate(pace), len(NAMES))


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_what_interrupts_is_done_host_by_host_in_the_given_order(
    state: State, steps: Steps
) -> None:
    def pause() -> None:
        gevent.sleep(0.001)

    treatments = [treatment(state, n, steps, drain=pause, apply=pause, prove=pause) for n in NAMES]
    assert conduct(state, treatments)
    assert steps == [f"{kind} {name}" for name in NAMES for kind in WHOLE]


def test_what_does_not_interrupt_is_done_at_once_and_first(state: State, steps: Steps) -> None:
    first, second = Event(), Event()

    def meet(mine: Event, other: Event) -> Callable[[], None]:
        def wait() -> None:
            mine.set()
            assert other.wait(timeout=5), "the other host was not treated meanwhile"

        return wait

    treatments = [
        treatment(state, "app-1", steps),
        treatment(state, "app-2", steps, False, apply=meet(first, second)),
        treatment(state, "app-3", steps, False, apply=meet(second, first)),
    ]
    assert conduct(state, treatments)
    assert steps[-5:] == [f"{kind} app-1" for kind in WHOLE]


def test_nothing_to_do_is_no_failure(state: State) -> None:
    assert conduct(state, [])


@pytest.mark.parametrize(
    "kind, taken",
    [
        ("drain", ["drain"]),
        ("apply", ["drain", "apply", "undrain"]),
        ("prove", ["drain", "apply", "undrain", "prove"]),
    ],
)
@pytest.mark.parametrize(
    "error",
    [NotProven("no sign"), RemoteError("exited with 1"), ConnectionError("no registry")],
    ids=lambda error: type(error).__name__,
)
def test_the_first_failure_ends_the_rollout_and_names_the_rest(
    state: State,
    steps: Steps,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    taken: list[str],
    error: Exception,
) -> None:
    treatments = [
        treatment(state, "app-1", steps, **{kind: failing(error)}),
        treatment(state, "app-2", steps),
        treatment(state, "app-3", steps),
    ]
    assert not conduct(state, treatments)
    assert steps == [f"{step} app-1" for step in taken]
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [
        f"app-1: replace container engine: {error}",
        "The rollout stopped; not yet touched: app-2, app-3",
    ]


def test_a_failure_on_the_last_host_leaves_nobody_to_name(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    assert not conduct(state, [treatment(state, "app-1", steps, apply=failing(NotProven("why")))])
    assert "not yet touched" not in caplog.text


def test_a_failure_on_one_host_leaves_the_others_of_its_batch_their_end(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    def later() -> None:
        gevent.sleep(0.01)
        steps.append("finished app-2")

    treatments = [
        treatment(state, "app-1", steps, False, apply=failing(RemoteError("why"))),
        treatment(state, "app-2", steps, False, apply=later),
        treatment(state, "app-3", steps),
    ]
    assert not conduct(state, treatments)
    assert "finished app-2" in steps
    assert "prove app-2" in steps
    assert "drain app-3" not in steps
    assert "not yet touched: app-3" in caplog.text


def test_an_error_of_our_own_undrains_too(state: State, steps: Steps) -> None:
    with pytest.raises(KeyError):
        conduct(state, [treatment(state, "app-1", steps, apply=failing(KeyError("bug")))])
    assert steps == ["drain app-1", "apply app-1", "undrain app-1"]


@pytest.mark.parametrize(
    "kind, taken",
    [
        ("drain", ["drain"]),
        ("apply", ["drain", "apply", "take back", "undrain", "prove back"]),
        (
            "prove",
            ["drain", "apply", "undrain", "prove", "drain", "take back", "undrain", "prove back"],
        ),
    ],
)
def test_what_was_before_is_put_back_out_of_service_and_proven(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture, kind: str, taken: list[str]
) -> None:
    treated = treatment(
        state, "app-1", steps, can_go_back=True, **{kind: failing(NotProven("no sign"))}
    )
    assert not conduct(state, [treated])
    assert steps == [f"{step} app-1" for step in taken]
    back = "; what was before runs again, and serves" if kind != "drain" else ""
    assert f"app-1: replace container engine: no sign{back}" in caplog.messages


def test_what_was_put_back_and_does_not_serve_is_said(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"apply": failing(NotProven("no sign")), "prove back": failing(NotProven("nothing"))}
    assert not conduct(state, [treatment(state, "app-1", steps, can_go_back=True, **wrong)])
    told = "no sign; what was before runs again, but is not proven: nothing"
    assert f"app-1: replace container engine: {told}" in caplog.messages


def test_a_way_back_that_fails_hides_nothing(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"apply": failing(NotProven("no sign")), "take back": failing(RemoteError("gone"))}
    assert not conduct(state, [treatment(state, "app-1", steps, can_go_back=True, **wrong)])
    assert "app-1: replace container engine: no sign" in caplog.messages
    assert "what ran before is not put back, or not proven: gone" in caplog.text


def test_where_nobody_lets_go_of_it_it_is_put_back_all_the_same(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    drains = iter([None, NotProven("a proxy holds on")])

    def drain() -> None:
        if error := next(drains):
            raise error

    wrong = {"drain": drain, "prove": failing(NotProven("no sign"))}
    assert not conduct(state, [treatment(state, "app-1", steps, can_go_back=True, **wrong)])
    assert "take back app-1" in steps
    assert "callers may notice: a proxy holds on" in caplog.text


def test_batches_are_treated_at_once_after_a_canary(state: State, steps: Steps) -> None:
    first, second = Event(), Event()

    def meet(mine: Event, other: Event) -> Callable[[], None]:
        def wait() -> None:
            mine.set()
            assert other.wait(timeout=5), "the other host was not treated meanwhile"

        return wait

    treatments = [
        treatment(state, "app-1", steps),
        treatment(state, "app-2", steps, apply=meet(first, second)),
        treatment(state, "app-3", steps, apply=meet(second, first)),
    ]
    assert conduct(state, treatments, batch=2)
    assert steps[:5] == [f"{kind} app-1" for kind in WHOLE]


def test_who_is_away_at_the_same_time_is_told(state: State, steps: Steps) -> None:
    told: list[Away] = []

    @contextmanager
    def aside(away: Away) -> Iterator[None]:
        told.append(away)
        yield

    treatments = [replace(treatment(state, name, steps), aside=aside) for name in NAMES]
    assert conduct(state, treatments, batch=2)
    assert [sorted(away) for away in told] == [["app-1"], ["app-2", "app-3"], ["app-2", "app-3"]]


def test_as_many_failures_as_allowed_do_not_stop_it(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    treatments = [treatment(state, n, steps, apply=failing(NotProven("no"))) for n in NAMES]
    assert not conduct(state, treatments, max_failures=1)
    assert [step for step in steps if step.startswith("apply")] == ["apply app-1", "apply app-2"]
    assert "The rollout stopped; not yet touched: app-3" in caplog.text


def test_a_rollout_that_takes_too_long_begins_no_further_batch(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    treatments = [treatment(state, n, steps, apply=lambda: gevent.sleep(1.1)) for n in NAMES[:2]]
    assert not conduct(state, treatments, limit_s=1)
    assert "apply app-2" not in steps
    assert "The rollout took more than 1 s; not yet touched: app-2" in caplog.text


def test_between_batches_it_pauses(state: State, steps: Steps) -> None:
    began = time.monotonic()
    assert conduct(state, [treatment(state, n, steps) for n in NAMES[:2]], pause_s=1)
    assert time.monotonic() - began > 1


def test_a_host_that_was_treated_is_read_again(state: State, steps: Steps) -> None:
    hosts = [state.inventory.get_host(name) for name in NAMES[:2]]
    for host in hosts:
        observe(state, host)
    conduct(state, [treatment(state, "app-1", steps)])
    assert [is_fresh(state, host) for host in hosts] == [False, True]


@pytest.mark.parametrize("executing, told", [(True, 1), (False, 0)])
def test_what_was_done_is_told_while_executing(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture, executing: bool, told: int
) -> None:
    state.is_executing = executing
    conduct(state, [treatment(state, "app-1", steps)])
    change = "app-1: soa_engine: replace container engine: image 1 -> 2 (interrupts)"
    assert sum(change in record.message for record in caplog.records) == told


def test_what_failed_is_not_told_as_done(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    state.is_executing = True
    conduct(state, [treatment(state, "app-1", steps, prove=failing(NotProven("no sign")))])
    assert "(interrupts)" not in caplog.text


def test_ctrl_c_lets_the_host_in_hand_be_finished(
    state: State,
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def press() -> None:
        monkeypatch.setattr(interrupt, "_requested", True)

    treatments = [treatment(state, "app-1", steps, apply=press), treatment(state, "app-2", steps)]
    with pytest.raises(SystemExit) as exited:
        conduct(state, treatments)
    assert exited.value.code == 130
    assert steps == [f"{kind} app-1" for kind in WHOLE]
    assert "Not yet touched: app-2" in caplog.text


@pytest.fixture
def lease(state: State) -> Holding:
    """This run's, on all hosts."""
    lease = Holding("a1")
    for host in state.inventory:
        hold(host, lease)
    return lease


@pytest.mark.parametrize("kind", ["apply", "prove"])
def test_without_the_lease_nothing_is_put_back_and_no_other_is_begun(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture, lease: Holding, kind: str
) -> None:
    def lose() -> None:
        lease.lose(state.inventory.get_host("app-2"), "lease: bob@desk took it")
        raise LeaseLost(str(lease.lost))

    treatments = [treatment(state, n, steps, can_go_back=True, **{kind: lose}) for n in NAMES]
    assert not conduct(state, treatments, max_failures=2)
    assert "take back app-1" not in steps
    assert not any("app-2" in step for step in steps)
    assert "The lease is lost; not yet touched: app-2, app-3" in caplog.text
    assert "app-2: lease: bob@desk took it" in caplog.text


def test_a_pause_ends_where_the_lease_is_lost(state: State, steps: Steps, lease: Holding) -> None:
    def lose() -> None:
        lease.lose(state.inventory.get_host("app-2"), "lease: bob@desk took it")

    treatments = [treatment(state, n, steps, settle=lose) for n in NAMES]
    assert not conduct(state, treatments, pause_s=3600)
    assert not any("app-2" in step for step in steps)


def test_waiting_ends_where_the_lease_is_lost(state: State, lease: Holding) -> None:
    host = state.inventory.get_host("app-1")
    gevent.spawn_later(0.1, lease.lose, host, "lease: bob@desk took it")
    with pytest.raises(LeaseLost, match="app-1: lease: bob@desk took it"):
        wait_until(host, lambda: "nothing yet", 60)


def test_waiting_ends_with_the_sign(state: State) -> None:
    answers = iter(["not registered", "not listed", None, "never asked again"])
    wait_until(state.inventory.get_host("app-1"), lambda: next(answers), 5)
    assert next(answers) == "never asked again"


def test_waiting_ends_at_its_limit_and_says_what_is_missing(state: State) -> None:
    answers = iter(["not registered", *["not listed"] * 1000])
    with pytest.raises(NotProven, match=r"^not listed, 0\.3 s after it should$"):
        wait_until(state.inventory.get_host("app-1"), lambda: next(answers), 0.3)


def test_waiting_says_now_and_then_what_for(
    state: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("roles.run.conductor.SAY_AFTER_S", 0.1)
    monkeypatch.setattr("roles.run.conductor.POLL_S", 0.01)
    with pytest.raises(NotProven):
        wait_until(state.inventory.get_host("app-1"), lambda: "not listed", 0.35)
    told = [record.message for record in caplog.records if "waiting: not listed" in record.message]
    assert 2 <= len(told) <= 3
    assert "app-1" in told[0]


@pytest.mark.parametrize("can_go_back", [True, False], ids=["with a way back", "without one"])
def test_what_fails_leaves_the_aside_by_its_error(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture, can_go_back: bool
) -> None:
    """Whoever was asked to leave is asked back only so."""

    @contextmanager
    def aside(away: Away) -> Iterator[None]:
        try:
            yield
        except NotProven as error:
            steps.append(f"ask back: {error}")
            raise

    failed = treatment(
        state, "app-1", steps, apply=failing(NotProven("no")), can_go_back=can_go_back
    )
    assert not conduct(state, [replace(failed, aside=aside)])
    back = ["take back app-1"] if can_go_back else []
    proven = ["prove back app-1"] if can_go_back else []
    assert steps == ["apply app-1", *back, "ask back: no", *proven]
    assert "app-1: replace container engine: no" in caplog.text


def test_one_that_cannot_be_asked_back_has_failed(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    @contextmanager
    def aside(away: Away) -> Iterator[None]:
        yield
        raise ConnectionError("the registry does not answer")

    done = replace(treatment(state, "app-1", steps), aside=aside)
    assert not conduct(state, [done])
    assert steps == ["apply app-1"]
    assert "app-1: replace container engine: the registry does not answer" in caplog.text


GONE_BACK = ("drain", "take back", "undrain", "prove back")
GOES_BACK = WHOLE[:-1]
"""What was changed is not settled while it may have to go back."""


def steps_of(*done: tuple[str, tuple[str, ...]]) -> Steps:
    return [f"{kind} {name}" for name, kinds in done for kind in kinds]


def going_back(state: State, steps: Steps, failing_host: str = "app-3") -> list[Treatment]:
    """Treatments that all have a way back; that of one host is not proven."""
    wrong = {failing_host: {"prove": failing(NotProven("no sign"))}}
    return [treatment(state, n, steps, can_go_back=True, **wrong.get(n, {})) for n in NAMES]


def test_after_too_many_failures_all_that_was_changed_goes_back_the_last_first(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    assert not conduct(state, going_back(state, steps), on_failure="rollback")
    assert steps == steps_of(
        ("app-1", GOES_BACK),
        ("app-2", GOES_BACK),
        ("app-3", (*GOES_BACK, *GONE_BACK)),
        ("app-2", GONE_BACK),
        ("app-1", GONE_BACK),
    )
    assert "Going back on: app-2, app-1" in caplog.messages
    assert "has gone back: what was before runs again, and serves" in caplog.text


def test_who_was_not_touched_is_named_before_any_goes_back(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    assert not conduct(state, going_back(state, steps, "app-2"), on_failure="rollback")
    assert not [step for step in steps if "app-3" in step]
    told = ["The rollout stopped; not yet touched: app-3", "Going back on: app-1"]
    assert [message for message in caplog.messages if message in told] == told


@pytest.mark.parametrize(
    "pace, settled",
    [
        ({"on_failure": "rollback", "max_failures": 1}, ["settle app-1", "settle app-2"]),
        ({"on_failure": "stop"}, ["settle app-1", "settle app-2"]),
        ({}, ["settle app-1", "settle app-2"]),
    ],
    ids=["as many failures as allowed", "stop", "by default"],
)
def test_otherwise_what_was_changed_stays(
    state: State, steps: Steps, pace: dict[str, object], settled: Steps
) -> None:
    assert not conduct(state, going_back(state, steps), **pace)
    assert [step for step in steps if step.startswith(("settle", "take back"))] == (
        [*settled, "take back app-3"]
        if "max_failures" not in pace
        else ["take back app-3", *settled]
    )


def test_a_rollout_that_goes_well_is_settled_when_it_is_over(state: State, steps: Steps) -> None:
    treatments = [treatment(state, n, steps, can_go_back=True) for n in NAMES]
    assert conduct(state, treatments, on_failure="rollback")
    assert steps[-3:] == [f"settle {name}" for name in NAMES]
    assert len([step for step in steps if step.startswith("settle")]) == 3


def test_what_has_no_way_back_is_settled_at_once_and_stays(state: State, steps: Steps) -> None:
    """Another engine of Docker's; and what was made where nothing ran, or mended in place."""
    treatments = [
        treatment(state, "app-1", steps, False, can_go_back=True),
        treatment(state, "app-2", steps),
        treatment(state, "app-3", steps, apply=failing(NotProven("no"))),
    ]
    assert not conduct(state, treatments, on_failure="rollback")
    assert steps == steps_of(("app-1", WHOLE), ("app-2", WHOLE), ("app-3", WHOLE[:3]))


def test_the_first_that_cannot_go_back_is_the_last_that_is_tried(
    state: State, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    """What the others run serves, and what they ran before may no more."""
    treatments = going_back(state, steps)
    treatments[1] = treatment(
        state,
        "app-2",
        steps,
        can_go_back=True,
        **{"prove back": failing(NotProven("no sign of it"))},
    )
    assert not conduct(state, treatments, on_failure="rollback")
    assert "take back app-1" not in steps
    assert [step for step in steps if step.startswith("settle")] == ["settle app-1"]
    assert "app-2: did not go back: no sign of it" in caplog.messages
    assert "As changed stay: app-1" in caplog.messages


def test_ctrl_c_settles_what_was_changed(
    state: State, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press() -> None:
        monkeypatch.setattr(interrupt, "_requested", True)

    treatments = [treatment(state, n, steps, can_go_back=True, apply=press) for n in NAMES]
    with pytest.raises(SystemExit):
        conduct(state, treatments, on_failure="rollback")
    assert steps == steps_of(("app-1", WHOLE))


@pytest.mark.parametrize(
    "pressed, back, staying",
    [
        (("app-3", "prove"), (), "app-1, app-2"),
        (("app-2", "take back"), (("app-2", GONE_BACK),), "app-1"),
        (("app-1", "prove back"), (("app-2", GONE_BACK), ("app-1", GONE_BACK)), None),
    ],
    ids=["before", "meanwhile", "at the last"],
)
def test_ctrl_c_ends_the_way_back_between_two_hosts_and_names_who_stays_as_changed(
    state: State,
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    pressed: tuple[str, str],
    back: tuple[tuple[str, tuple[str, ...]], ...],
    staying: str | None,
) -> None:
    def press() -> None:
        monkeypatch.setattr(interrupt, "_requested", True)

    def fail() -> None:
        if pressed == ("app-3", "prove"):
            press()
        raise NotProven("no sign")

    wrong = {name: {kind: press} for name, kind in [pressed]} | {"app-3": {"prove": fail}}
    treatments = [treatment(state, n, steps, can_go_back=True, **wrong.get(n, {})) for n in NAMES]
    with pytest.raises(SystemExit) as exited:
        conduct(state, treatments, on_failure="rollback")
    assert exited.value.code == 130
    failed = steps.index("prove back app-3") + 1
    stayed = staying.split(", ") if staying else []
    assert steps[failed:] == steps_of(*back, *((name, ("settle",)) for name in stayed))
    told = [message for message in caplog.messages if message.startswith("As changed stay")]
    assert told == ([f"As changed stay: {staying}"] if staying else [])
    assert ("Going back on: app-2, app-1" in caplog.messages) is bool(back)
