"""How soon eight proxies know of a change, and what a rollout adds to stopping and starting.

python -m tests.bench.rollout
"""

from __future__ import annotations

import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from kazoo.client import KazooClient

from tests.bench.deployed import Deployed, deployed
from tests.lab import LabHost
from tests.lab.reading import ENGINES, get, of_each, registry, up, wait_until

HOSTS = 8
ROUNDS = 25
"""Each makes four changes."""
REST_S = 0.25
"""Between two changes, so that the one is over everywhere before the other is made."""
POLL_S = 0.01
"""A proxy's answer costs its host a thread and a question to HAProxy: asked without rest, eight
proxies on one machine would be busy with nothing else."""
SEEN_S = 10

DRAIN = "/osp/drain"
CONTAINER = "sayhello-service-engine"

# Prints the seconds from the stop until the health check passes again.
STOP_AND_START = """
began=$(date +%s%N)
docker stop --time 30 {name} >/dev/null
docker rename {name} {name}-bench
docker rename {name}-bench {name}
docker start {name} >/dev/null
until docker exec {name} {health} >/dev/null 2>&1; do sleep 0.1; done
echo $(( $(date +%s%N) - began ))
"""


@dataclass(frozen=True)
class Seen:
    """How long after a change the last proxy told it, and the widest gap between two answers."""

    kind: str
    after_ms: float
    gap_ms: float


def main() -> None:
    with deployed(HOSTS, _turn(0)) as fleet:
        _wait_until_settled(fleet)
        sys.stdout.write(_told(list(changes_seen(fleet))))
        sys.stdout.flush()
        sys.stdout.write(rollout_overhead(fleet))


def changes_seen(fleet: Deployed) -> Iterator[Seen]:
    """Change the registry, and see it in every proxy's status."""
    with registry(fleet.registry) as client, ThreadPoolExecutor(HOSTS) as pool:
        for number in range(ROUNDS):
            marked = f"{fleet.apps[number % HOSTS].address}:1080"
            made_up = f"{fleet.apps[number % HOSTS].address}:9"
            for kind, change, name, listed in _round(client, marked, made_up):
                time.sleep(REST_S)
                began = time.monotonic()
                change()
                look = partial(_await, name=name, listed=listed, began=began)
                seen = list(pool.map(look, fleet.apps))
                after_s, gap_s = map(max, zip(*seen, strict=True))
                yield Seen(kind, 1000 * after_s, 1000 * gap_s)


def _round(
    client: KazooClient, marked: str, made_up: str
) -> list[tuple[str, Callable[[], object], str, bool]]:
    """Return changes: what it is, how it is made, which engine it is about, listed after it?"""
    mark, node = f"{DRAIN}/{marked}", f"{ENGINES}/{made_up}"
    return [
        ("marked", lambda: client.create(mark, ephemeral=True, makepath=True), marked, False),
        ("unmarked", lambda: client.delete(mark), marked, True),
        ("registered", lambda: client.create(node, ephemeral=True), made_up, True),
        ("left", lambda: client.delete(node), made_up, False),
    ]


def _await(proxy: LabHost, name: str, listed: bool, began: float) -> tuple[float, float]:
    """Return after how many seconds a proxy tells it, and how long its last answer took to come."""
    asked_before = began
    while True:
        engines = get(proxy, 2081, "/status")["services"]["sayhello"]["engines"]
        now = time.monotonic()
        if any(engine["address"] == name for engine in engines) == listed:
            return now - began, now - asked_before
        if now - began > SEEN_S:
            raise SystemExit(f"{proxy.name}: {SEEN_S} s later {name} is {_listed(not listed)}")
        asked_before = now
        time.sleep(POLL_S)


def _listed(listed: bool) -> str:
    return "listed" if listed else "not listed"


def _told(seen: Sequence[Seen]) -> str:
    after_ms = sorted(change.after_ms for change in seen)
    p99 = after_ms[min(int(0.99 * len(after_ms)), len(after_ms) - 1)]
    kinds = {change.kind: [c.after_ms for c in seen if c.kind == change.kind] for change in seen}
    each = ", ".join(f"{kind} {statistics.median(ms):.0f}" for kind, ms in kinds.items())
    gap_ms = statistics.median(change.gap_ms for change in seen)
    return (
        f"{len(seen)} changes until all {HOSTS} proxies tell them: p50 "
        f"{statistics.median(after_ms):.0f} ms ({each}), p99 {p99:.0f} ms, max {after_ms[-1]:.0f} "
        f"ms; resolution {gap_ms:.0f} ms\n"
    )


def rollout_overhead(fleet: Deployed) -> str:
    """Replace the engines one by one; compare with doing nothing, and with doing it by hand."""
    idle = fleet.deploy(_turn(0))
    if idle.done:
        raise SystemExit(f"a second run has changed something:\n{idle.output}")
    rollout = fleet.deploy(_turn(1))
    if len(rollout.done) != HOSTS:
        raise SystemExit(f"not {HOSTS} engines were replaced:\n{rollout.output}")
    by_hand_s = []
    for host in fleet.apps:
        _wait_until_settled(fleet)
        by_hand_s.append(stop_and_start_s(host))
    batch_s = (rollout.duration_s - idle.duration_s) / HOSTS
    own_s = statistics.mean(by_hand_s)
    return (
        f"rollout of {HOSTS} engines one by one: {rollout.duration_s:.1f} s, a run without changes "
        f"{idle.duration_s:.1f} s; a batch takes {batch_s:.2f} s, its container's own stop and "
        f"start {own_s:.2f} s, so the overhead is {batch_s - own_s:.2f} s a batch\n"
    )


def stop_and_start_s(host: LabHost) -> float:
    """Stop the engine's container and start it again by hand; healthy as its own check says."""
    look = f"docker inspect --format '{{{{json .Config.Healthcheck.Test}}}}' {CONTAINER}"
    _, *test = json.loads(host.run(look).stdout)
    command = STOP_AND_START.format(name=CONTAINER, health=shlex.join(test))
    return int(host.run(command).stdout) / 1e9


def _wait_until_settled(fleet: Deployed) -> None:
    names = {f"{host.address}:1080" for host in fleet.apps}
    wait_until(
        lambda: all(found == names for found in of_each(fleet.apps, up).values()), "all engines up"
    )


def _turn(turn: int) -> dict[str, Any]:
    """Data that makes other containers of the engines at each turn."""
    return {"soa_engine": {"environment": {"TURN": str(turn)}}, "rollout": {"batch": 1}}


if __name__ == "__main__":
    main()
