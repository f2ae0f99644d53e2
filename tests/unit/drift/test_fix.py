"""What `--fix` deploys to, and what it leaves; neither the check nor the deploy is a real one."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roles.drift import command
from roles.drift.model import Finding, Report
from tests.unit.drift.build import found, host, report

UNFIT = found("app-2", "disk", role="host_check", kind="unfit", found="1 GiB\x1b[31m\nfree")
NOBODYS = found(None, "/osp/old", role="registry", kind="foreign")


class Fix:
    """One run of the command; `deploys` are the command lines that pyinfra was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deploys: list[tuple[str, ...]] = []
        self.deploy_ends_with = 0
        self.started_again = 0
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(command, "run_pyinfra", self._run_pyinfra)
        monkeypatch.setattr(command, "_start_again", self._start_again)

    def __call__(self, its: Report, *words: str) -> Result:
        self._monkeypatch.setattr("roles.drift.process.check_inventory", lambda *_: its)
        given = ["inventories/lab.py", "--fix", "-y", *words]
        return CliRunner().invoke(command.drift, given, obj="inventories/prod.py")

    def _run_pyinfra(self, *words: str, **_: object) -> int:
        self.deploys.append(words)
        return self.deploy_ends_with

    def _start_again(self) -> None:
        self.started_again += 1
        raise SystemExit(0)


@pytest.fixture
def fix(monkeypatch: pytest.MonkeyPatch) -> Fix:
    return Fix(monkeypatch)


def limits(words: tuple[str, ...]) -> list[str]:
    return [value for option, value in pairwise(words) if option == "--limit"]


def test_in_sync_nothing_is_deployed(fix: Fix) -> None:
    run = fix(report())
    assert (run.exit_code, fix.deploys) == (0, [])


def test_it_deploys_to_the_hosts_that_differ_and_checks_again(fix: Fix) -> None:
    run = fix(report(found("app-2"), NOBODYS), "--data", "a=b")
    (words,) = fix.deploys
    assert words[1:3] == ("deploy/soa.py", "-y")
    assert limits(words) == ["app-2"]
    assert words[-2:] == ("--data", "a=b")
    assert (run.exit_code, fix.started_again) == (0, 1)


def test_a_host_that_the_deploy_would_refuse_is_left_and_the_others_are_not(fix: Fix) -> None:
    run = fix(report(found("app-1"), found("app-2"), UNFIT))
    assert [limits(words) for words in fix.deploys] == [["app-1"]]
    assert "app-2 is left as it is: a deploy refuses it, 1 GiB�[31m free" in run.stderr


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("finding", [UNFIT, NOBODYS], ids=["unfit", "nobody's"])
def test_what_no_deploy_mends_is_told_once_and_the_exit_code_says_so(
    fix: Fix, form: str, finding: Finding
) -> None:
    its = report(finding)
    run = fix(its, "--format", form)
    assert (run.exit_code, fix.deploys, fix.started_again) == (2, [], 0)
    assert "no deploy mends what differs; nothing was changed" in run.stderr
    if form == "json":
        assert json.loads(run.stdout)["exit_code"] == 2
    else:
        assert run.stdout.count("DRIFT") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        found(None, "order", role="rollout", kind="refused"),
        found("app-1", "export_ip", role="export_ip", kind="address moved"),
    ],
    ids=["the fleet's", "its address"],
)
def test_where_every_deploy_would_be_refused_there_is_none(fix: Fix, refusal: Finding) -> None:
    run = fix(report(found("app-1"), refusal))
    assert (run.exit_code, fix.deploys) == (2, [])


def test_an_interrupted_deploy_ends_as_everywhere(fix: Fix) -> None:
    fix.deploy_ends_with = 130
    run = fix(report(found("app-1")))
    assert (run.exit_code, fix.started_again) == (130, 0)
    assert "interrupted; what is done is told above" in run.stderr


def test_a_deploy_that_fails(fix: Fix) -> None:
    fix.deploy_ends_with = 1
    run = fix(report(found("app-1")), "--format", "json")
    assert (run.exit_code, fix.started_again, run.stdout) == (1, 0, "")
    assert "the deploy failed, which says above why" in run.stderr


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_by_name_after_the_operator_has_seen_what_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(command, "confirmed", lambda question: asked.append(question) or answer)
    its = report(found("app-1"), found("app-2"))
    assert command._is_to_mend(its, False, is_shown=False) is answer
    assert asked == ["Deploy to app-1, app-2?"]
    assert "proxy.memory_mb" in capsys.readouterr().err


def test_a_drained_host_is_not_deployed_to(fix: Fix) -> None:
    away = (host("app-2", "maintenance", "ann"),)
    fix(report(found("app-1"), found("app-2"), hosts=away))
    assert [limits(words) for words in fix.deploys] == [["app-1"]]


def test_what_can_not_be_written_keeps_the_history_from_nothing(fix: Fix, tmp_path: Path) -> None:
    run = fix(report(), "--out", str(tmp_path / "none" / "x"), "--record", str(tmp_path / "kept"))
    assert run.exit_code == 1
    assert (tmp_path / "kept" / "last.json").exists()
