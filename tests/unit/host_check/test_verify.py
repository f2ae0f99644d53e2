"""A verification of hosts that were read already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path as File
from typing import Any

import gevent
import pytest
from pyinfra.api import DeployError, State
from pyinfra.context import ctx_state

from roles.host_check.verify import read, report_path, verify, write
from roles.observed import forget
from roles.run import options
from roles.run.options import Options
from tests.unit.build import address_of, as_read, bare, data, fit, local_state

GROUPS = {"engine": ["app-1", "app-2"], "proxy": ["app-1", "app-2"]}
NAMES = ("app-1", "app-2")


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_options", Options(deploys=("deploy/verify.py",)))
    monkeypatch.setattr(options, "has_terminal", lambda: pytest.fail("it asks"))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def hosts(
    stack: ExitStack, everywhere: dict[str, Any] | None = None, **of_hosts: dict[str, Any]
) -> State:
    given = {name.replace("_", "-"): values for name, values in of_hosts.items()}
    external = {"registry": {"connection": "198.18.0.99:2181"}}
    whole = {**data(), **external, **(everywhere or {})}
    state = local_state(*NAMES, everywhere=whole, hosts=given, groups=GROUPS)
    for name in NAMES:
        as_read(state, name, observed(name))
    stack.enter_context(ctx_state.use(state))
    return state


def observed(name: str, **changes: Any) -> Any:
    known = {"198.18.0.99": address_of("app-1")}
    return bare(address_of(name), **{"resolved": known, **changes})


def unreachable(state: State, name: str) -> None:
    host = state.inventory.get_host(name)
    host.connected = False
    state.active_hosts.discard(host)


def code() -> int:
    with pytest.raises(SystemExit) as ended:
        verify()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_fit_hosts(stack: ExitStack, capsys: pytest.CaptureFixture[str]) -> None:
    hosts(stack)
    assert code() == 0
    assert capsys.readouterr().out.splitlines() == [
        "app-1: fit, 34 checks",
        "app-2: fit, 34 checks",
        "2 hosts: 0 unfit, 0 fit with warnings, 2 fit",
    ]


def test_it_is_told_once_though_every_host_loads_the_deploy(
    stack: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts(stack)
    assert code() == 0
    capsys.readouterr()
    another = gevent.spawn(verify)  # waits for the end of the run
    another.join(timeout=0.2)
    assert not another.ready()
    another.kill()
    assert capsys.readouterr().out == ""


def test_warnings_do_not_count(stack: ExitStack) -> None:
    state = hosts(stack)
    as_read(state, "app-2", observed("app-2", fitness=fit(name_addresses=())))
    assert code() == 0


def test_a_failure_does_unless_it_is_accepted(stack: ExitStack) -> None:
    state = hosts(stack)
    as_read(state, "app-2", observed("app-2", clock_skew_s=999.0))
    assert code() == 1
    state = hosts(stack, app_2={"host_check": {"accept": ["clock-skew"]}})
    as_read(state, "app-2", observed("app-2", clock_skew_s=999.0))
    assert code() == 0


def test_every_host_is_in_it(
    stack: ExitStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = hosts(stack, app_1={"soa_engine": {"prot": 1}})
    unreachable(state, "app-2")
    assert code() == 1
    told = capsys.readouterr().out
    assert "soa_engine.prot" in told
    assert "unknown key" in told
    assert "can't be reached: no connection" in told


def test_a_host_with_wrong_data_is_checked_all_the_same(stack: ExitStack) -> None:
    state = hosts(stack, app_1={"soa_engine": {"prot": 1}})
    one, other = read(state, list(state.inventory))
    assert [problem.key for problem in one.problems] == ["soa_engine.prot"]
    assert one.was_read
    assert len(one.findings) == len(other.findings)
    assert other.problems == ()


def test_a_host_that_cannot_be_read_has_its_reason(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = hosts(stack)
    forget(state.inventory.get_host("app-2"))
    monkeypatch.setattr("roles.observed.probe.SCRIPT", b"echo no awk >&2; exit 1")
    report = read(state, list(state.inventory))[1]
    assert (report.was_read, report.verdict) == (False, "fail")
    assert "no awk" in report.problems[0].text


def test_an_address_that_is_on_no_interface_is_told(stack: ExitStack) -> None:
    state = hosts(stack, app_1={"export_ip": "203.0.113.1"})
    assert [p.key for p in read(state, list(state.inventory))[0].problems] == ["export_ip"]


def test_the_limit_bounds_it(stack: ExitStack, capsys: pytest.CaptureFixture[str]) -> None:
    state = hosts(stack)
    state.limit_hosts = [state.inventory.get_host("app-2")]
    assert code() == 0
    assert "app-1" not in capsys.readouterr().out


def test_the_report_is_written(stack: ExitStack, tmp_path: File) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")
    hosts(stack, {"verify_report": str(path)})
    assert code() == 0
    told = json.loads(path.read_text())
    assert (told["format"], told["counts"]) == (1, {"pass": 2, "warn": 0, "fail": 0})
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_a_report_that_cannot_be_written_is_an_error_before_hosts_are_read(
    stack: ExitStack, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roles.host_check.verify.read", lambda *_: pytest.fail("it has read"))
    for path in (tmp_path / "absent" / "report.json", tmp_path, tmp_path / "file" / "x"):
        (tmp_path / "file").touch()
        hosts(stack, {"verify_report": str(path)})
        with pytest.raises(DeployError, match="verify_report: "):
            verify()


def test_hosts_that_want_two_reports(stack: ExitStack, tmp_path: File) -> None:
    state = hosts(stack, app_1={"verify_report": "a"}, app_2={"verify_report": "b"})
    with pytest.raises(DeployError, match="expected one path, found a, b"):
        report_path(list(state.inventory))


def test_a_report_that_fails_midway_leaves_what_was_there(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("roles.host_check.verify.os.replace", full)
    with pytest.raises(DeployError, match="can't be written: no space left"):
        write(path, {})
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]
