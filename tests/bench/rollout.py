"""How soon eight proxies know of a change, and what a rollout adds to stopping and starting.

python -m tests.bench.rollout
"""

from __future__ import annotations

import http.client
import json
import math
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kazoo.client import KazooClient

from tests.bench.deployed import Deployed, deployed
from tests.lab import LabHost
from tests.lab.reading import ENGINES, of_each, registry, up, wait_until

HOSTS = 8
ROUNDS = 25
"""Each makes four changes."""
REST_S = 0.25
"""Between two changes, so that the one is over everywhere before the other is made."""
ASK_AGAIN_S = 0.002
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
    """How long after a change all proxies told it, and by how much that may be too long: they did
    after the last one that did not yet was asked."""

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
    with registry(fleet.registry) as client:
        for number in range(ROUNDS):
            marked = f"{fleet.apps[number % HOSTS].address}:1080"
            made_up = f"{fleet.apps[number % HOSTS].address}:9"
            for kind, change, name, listed in _round(client, marked, made_up):
                time.sleep(REST_S)
                began = time.monotonic()
                change()
                asked_at = _await_told(fleet.apps, name, listed)
                now = time.monotonic()
                yield Seen(kind, 1000 * (now - began), 1000 * (now - max(asked_at, began)))


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


def _await_told(proxies: Sequence[LabHost], name: str, listed: bool) -> float:
    """Wait until every proxy tells it; return when the last one was asked that did not yet, or 0.

    One at a time: an answer costs a proxy's host a thread and a question to HAProxy, and eight that
    are asked without rest would keep this machine from everything else.
    """
    deadline = time.monotonic() + SEEN_S
    asked_at = 0.0
    for proxy in proxies:
        while True:
            now = time.monotonic()
            if _lists(proxy, name) == listed:
                break
            if now > deadline:
                raise SystemExit(f"{proxy.name}: {SEEN_S} s later {name} is {_listed(not listed)}")
            asked_at = now
            time.sleep(ASK_AGAIN_S)
    return asked_at


def _lists(proxy: LabHost, name: str) -> bool:
    """Whether a proxy lists an engine; reading.get costs more: it makes an opener."""
    connection = http.client.HTTPConnection(proxy.address, 2081, timeout=SEEN_S)
    try:
        connection.request("GET", "/status")
        engines = json.load(connection.getresponse())["services"]["sayhello"]["engines"]
    finally:
        connection.close()
    return any(engine["address"] == name for engine in engines)


def _listed(listed: bool) -> str:
    return "listed" if listed else "not listed"


def _told(seen: Sequence[Seen]) -> str:
    after_ms = sorted(change.after_ms for change in seen)
    p99 = after_ms[math.ceil(0.99 * len(after_ms)) - 1]
    kinds = {change.kind: [c.after_ms for c in seen if c.kind == change.kind] for change in seen}
    each = ", ".join(f"{kind} {statistics.median(ms):.0f}" for kind, ms in kinds.items())
    gap_ms = statistics.median(change.gap_ms for change in seen)
    return (
        f"{len(seen)} changes until all {HOSTS} proxies tell them: p50 "
        f"{statistics.median(after_ms):.0f} ms ({each}), p99 {p99:.0f} ms, max {after_ms[-1]:.0f} "
        f"ms; resolution {gap_ms:.0f} ms\n"
    )


def rollout_overhead(fleet: Deployed) -> str:
    """Replace the engines one by one; compare with doing it by hand."""
    rollout, batches = fleet.roll(_turn(1))
    if len(rollout.done) != HOSTS or len(batches) != HOSTS:
        raise SystemExit(f"not {HOSTS} engines were replaced one by one:\n{rollout.output}")
    by_hand_s = []
    for host in fleet.apps:
        _wait_until_settled(fleet)
        by_hand_s.append(stop_and_start_s(host))
    batch_s = (batches[-1] - batches[0]) / (len(batches) - 1)
    own_s = statistics.mean(by_hand_s)
    return (
        f"rollout of {HOSTS} engines one by one: {rollout.duration_s:.1f} s; a batch takes "
        f"{batch_s:.2f} s, its container's own stop and start {own_s:.2f} s, so the overhead is "
        f"{batch_s - own_s:.2f} s a batch\n"
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
