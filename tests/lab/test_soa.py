"""The main job on real hosts: from bare to serving, and nothing at all when run again."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.lab import LabHost
from tests.lab.conftest import Fleet
from tests.lab.reading import (
    ENGINES,
    PROXIES,
    answering,
    commands_sent,
    containers,
    disk,
    leased_to,
    main_pid,
    marks,
    of_each,
    registered,
    wait_until,
)
from tests.lab.running import Checkout, Stdin


def called(fleet: Fleet, *options: str) -> dict[str, Any]:
    """Call the service with the sdk in its container, and return its summary."""
    words = ["docker exec osp-sdk osp-sdk call sayhello name=Ada --json", *options]
    summary: dict[str, Any] = json.loads(fleet.registry.run(" ".join(words)).stdout)
    return summary


def state_of(host: LabHost) -> dict[str, Any]:
    """Everything that a run without changes must leave as it is."""
    return {
        "containers": containers(host),
        "dockerd": main_pid(host, "docker"),
        "disk": disk(host),
    }


def release_of(host: LabHost) -> str:
    """The release that a host says it runs."""
    return host.run("cat /var/lib/dockyard/releases/current").stdout.strip()


def test_a_dry_run_lists_changes_of_every_host_and_makes_none(fleet: Fleet) -> None:
    assert fleet.dry.exit_code == 0, fleet.dry.output
    assert {line.split(":")[0] for line in fleet.dry.planned} == {h.name for h in fleet.hosts}
    assert fleet.dry.done == []
    assert fleet.bare_still == fleet.bare


def test_without_a_terminal_and_without_y_nothing_waits_and_nothing_changes(fleet: Fleet) -> None:
    assert fleet.unasked.exit_code == 1, fleet.unasked.output
    assert "there is no terminal to ask on; add -y" in fleet.unasked.output
    assert fleet.unasked.planned == fleet.dry.planned
    assert fleet.unasked.done == []
    assert fleet.bare_still == fleet.bare


def test_the_first_run_makes_exactly_the_changes_that_a_dry_run_lists(fleet: Fleet) -> None:
    assert fleet.first.exit_code == 0, fleet.first.output
    assert fleet.first.planned == fleet.dry.planned
    assert Counter(fleet.first.done) == Counter(fleet.dry.planned)


def test_every_engine_answers_the_sdk_through_every_proxy(fleet: Fleet) -> None:
    through_all = called(fleet, "--count 36")
    assert through_all["errors"] == 0
    assert set(through_all["by_proxy"]) == fleet.proxies
    for proxy in fleet.proxies:
        through_one = called(fleet, "--count 12", f"--proxies {proxy}")
        assert through_one["errors"] == 0
        assert set(through_one["by_proxy"]) == {proxy}
        assert set(through_one["by_engine"]) == fleet.engines


def test_an_answer_is_the_service_s_own(fleet: Fleet) -> None:
    answer = fleet.registry.run("docker exec osp-sdk osp-sdk call sayhello name=Ada").stdout
    assert "Hello, Ada!" in answer


def test_every_proxy_asked_directly_serves_from_every_engine(fleet: Fleet) -> None:
    for host in fleet.apps:
        assert set(answering(host)) == fleet.engines


def test_containers_are_told_the_real_address_of_their_host(fleet: Fleet) -> None:
    for host in fleet.apps:
        assert host.address in host.run("hostname -I").stdout.split()
        found = containers(host)
        engine = found["sayhello-service-engine"].environment
        assert (engine["EXPORT_IP"], engine["EXPORT_PORT"]) == (host.address, "1080")
        assert engine["EXPORT_PROT"] == "1080"
        proxy = found["osp-proxy"].environment
        assert (proxy["EXPORT_IP"], proxy["EXPORT_PORT"]) == (host.address, "2080")
        for environment in (engine, proxy):
            connection = environment["VIP_CFGCENTER_ZK_CONNECTION"]
            assert connection == f"{fleet.registry.address}:2181"


def test_the_registry_holds_these_engines_and_proxies_and_no_others(fleet: Fleet) -> None:
    assert registered(fleet.registry) == {ENGINES: fleet.engines, PROXIES: fleet.proxies}


@pytest.mark.parametrize(
    ("options", "stdin"), [(["-y"], "closed"), ([], "terminal"), ([], "closed"), ([], "silent")]
)
def test_a_second_run_changes_nothing(fleet: Fleet, options: list[str], stdin: Stdin) -> None:
    before = of_each(fleet.hosts, state_of)
    sent = of_each(fleet.hosts, commands_sent)
    run = fleet.checkout.run(fleet.inventory, *options, stdin=stdin, timeout_s=60)
    assert run.exit_code == 0, run.output
    assert "Nothing to change on 4 hosts" in run.output
    assert run.planned == run.done == []
    sent_then = of_each(fleet.hosts, commands_sent)
    assert sent_then == {name: count + 2 for name, count in sent.items()}, "ours, and one more"
    assert of_each(fleet.hosts, state_of) == before


def test_on_a_terminal_it_asks_once_and_changes_nothing_before_the_answer(fleet: Fleet) -> None:
    host = fleet.registry
    host.run("docker stop osp-sdk")
    refused = fleet.checkout.start(fleet.inventory, stdin="terminal")
    refused.wait_for(r"Press Enter \(or y\) to make")
    refused.type("no\n")
    run = refused.wait(60)
    assert (run.exit_code, "Nothing was changed" in run.output) == (1, True)
    assert run.planned == ["registry-1: sdk: start container osp-sdk: stopped"]
    assert run.done == []
    assert not containers(host)["osp-sdk"].running

    interrupted = fleet.checkout.start(fleet.inventory, stdin="terminal")
    interrupted.wait_for(r"Press Enter \(or y\) to make")
    interrupted.interrupt()
    run = interrupted.wait(60)
    assert run.exit_code == 130, run.output
    assert "nothing was changed" in run.output
    assert not containers(host)["osp-sdk"].running

    accepted = fleet.checkout.start(fleet.inventory, stdin="terminal")
    accepted.wait_for(r"Press Enter \(or y\) to make")
    assert not containers(host)["osp-sdk"].running
    accepted.type("\n")
    run = accepted.wait(60)
    assert run.exit_code == 0, run.output
    assert run.done == run.planned
    assert run.output.count("Press Enter") == 1
    assert containers(host)["osp-sdk"].running


@pytest.mark.parametrize("option", ["--serial", "--no-wait"])
def test_an_order_other_than_the_rollouts_is_refused(fleet: Fleet, option: str) -> None:
    run = fleet.checkout.run(fleet.inventory, "-y", option)
    assert run.exit_code == 1
    [problem] = run.problems
    assert problem.startswith(f"inventory: {option}: ")
    assert run.done == []


def test_a_limit_bounds_what_is_changed_and_others_are_read(fleet: Fleet, own: Checkout) -> None:
    own.edit("group_data/engine.py", '"environment": {', '"environment": {"LIMITED": "yes", ')
    before = of_each(fleet.hosts, containers)
    run = own.run(fleet.inventory, "-y", "--limit", "app-2")
    assert run.exit_code == 0, run.output
    assert len(run.done) == 1
    assert run.done[0].startswith("app-2: soa_engine: replace container sayhello-service-engine")
    after = of_each(fleet.hosts, containers)
    new = after["app-2"].pop("sayhello-service-engine").environment
    before["app-2"].pop("sayhello-service-engine")
    assert after == before
    assert new["LIMITED"] == "yes"
    assert new["VIP_CFGCENTER_ZK_CONNECTION"] == f"{fleet.registry.address}:2181"

    back = fleet.deploy()
    assert [line.split(":")[0] for line in back.done] == ["app-2"]
    environment = containers(fleet.lab["app-2"])["sayhello-service-engine"].environment
    assert "LIMITED" not in environment


@pytest.mark.full
def test_ctrl_c_ends_a_rollout_after_the_step_in_hand(fleet: Fleet, own: Checkout) -> None:
    own.edit("group_data/engine.py", '"environment": {', '"environment": {"ROUND": "2", ')
    release = of_each(fleet.hosts, release_of)
    running = own.start(fleet.inventory, "-y")
    running.wait_for(r"draining .*:1080")
    running.interrupt()
    run = running.wait(120)
    assert run.exit_code == 130, run.output
    assert len(run.done) == 1
    rounds = [
        containers(host)["sayhello-service-engine"].environment.get("ROUND") for host in fleet.apps
    ]
    assert rounds == ["2", None, None]
    _, summary = run.output.split("--> What runs now:")
    told = [line.split() for line in summary.splitlines() if line.strip()]
    names = {(h, name) for h, found in of_each(fleet.hosts, containers).items() for name in found}
    assert {(host, container) for host, _, container, *_ in told} == names
    assert {words[-1] for words in told} == {"running"}
    assert marks(fleet.registry) == []
    assert not any(of_each(fleet.hosts, leased_to).values())
    assert of_each(fleet.hosts, release_of) == release, "what is cut off is no release"
    for host in fleet.apps:
        assert set(answering(host)) == fleet.engines

    rerun = own.run(fleet.inventory, "-y")
    assert rerun.exit_code == 0, rerun.output
    *replaced, recorded = rerun.done
    assert [line.split(":")[0] for line in replaced] == ["app-2", "app-3"]
    assert recorded.startswith("app-1: release: record release: it runs something else than ")
    assert sorted(rerun.done) == sorted(rerun.planned)
    assert len(set(of_each(fleet.hosts, release_of).values()) - set(release.values())) == 1
    wait_until(lambda: set(answering(fleet.apps[0])) == fleet.engines, "all engines answer")
    assert fleet.deploy().exit_code == 0
