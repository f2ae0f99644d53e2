"""Rollouts of engines and proxies, one after the other, under load: nothing may be lost.

python -m tests.bench.soak --requests 1000000 --rollouts 50 --plot soak.svg

The plot shows latency over time, and marks each batch. Exits with 1 where a request had no answer,
was served twice, or was answered by no engine.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pygal

from tests.bench.deployed import deployed
from tests.lab.load import SLOW_S, Load, Request, load

LOGS = "/apps/logs/sayhello-service-engine"
HOSTS = 3
BIN_S = 5
PERCENTILES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


@click.command()
@click.option("--requests", default=1_000_000, show_default=True)
@click.option("--rollouts", default=50, show_default=True)
@click.option("--rate", "rate_per_s", default=450.0, show_default=True, help="Requests a second.")
@click.option("--limit-s", default=4800, show_default=True, help="When to give up.")
@click.option("--plot", type=click.Path(path_type=Path), default="soak.svg", show_default=True)
def main(requests: int, rollouts: int, rate_per_s: float, limit_s: int, plot: Path) -> None:
    """Roll engines and proxies out again and again under load, and count every request."""
    began = time.monotonic()
    with deployed(HOSTS, _turn(0)) as fleet:
        proxies = [f"{host.address}:2080" for host in fleet.apps]
        batches: list[float] = []
        with load(proxies, rate_per_s) as calls:
            for turn in range(1, rollouts + 1):
                batches += fleet.roll(_turn(turn))[1]
                told = f"{turn} rollouts, {len(calls.requests)} requests"
                sys.stdout.write(f"{told}, {len(calls.failed)} failed\n")
                sys.stdout.flush()
                if time.monotonic() - began > limit_s:
                    raise SystemExit(f"not done within {limit_s} s")
            calls.wait_for(requests, limit_s - (time.monotonic() - began))
        draw(calls, batches, plot)
        tell(calls, len(batches))
        calls.assert_none_lost(fleet.apps, LOGS)
        sys.stdout.write("no request was lost, and none was served twice\n")


def _turn(turn: int) -> dict[str, Any]:
    """Data that makes other engines at each turn, and other proxies at every second.

    The proxies never send a request twice; the engines end at once when they are told to.
    """
    return {
        "soa_engine": {"environment": {"STOP_GRACE_S": "0", "TURN": str(turn)}},
        "proxy": {"environment": {"OSP_RETRIES": "0", "TURN": str(turn // 2)}},
        "rollout": {"batch": 1 + turn % 2},
    }


def tell(calls: Load, batches: int) -> None:
    """Say what the requests came to."""
    quick = sorted(r.took_s for r in calls.requests if r.took_s < SLOW_S)
    figures = ", ".join(f"{n} {1000 * _share(quick, s):.1f} ms" for n, s in PERCENTILES.items())
    posts = sum(request.method == "POST" for request in calls.requests)
    slow = len(calls.requests) - len(quick)
    sys.stdout.write(
        f"{len(calls.requests)} requests ({posts} POST, {slow} of 3 s) during {batches} batches: "
        f"{len(calls.failed)} failed; of the quick ones {figures}\n"
    )


def draw(calls: Load, batches: list[float], path: Path) -> None:
    """Draw the quick requests' latency over time, with a mark for each batch."""
    began = min(request.sent_at for request in calls.requests)
    bins: dict[int, list[float]] = defaultdict(list)
    for request in calls.requests:
        if request.took_s < SLOW_S:
            bins[_bin(request, began)].append(1000 * request.took_s)
    chart = pygal.XY(
        title=f"{len(calls.requests)} requests, {len(calls.failed)} failed, {len(batches)} batches",
        x_title="seconds",
        y_title="latency in ms",
        logarithmic=True,
        dots_size=1,
        width=1600,
        height=600,
    )
    for name, share in PERCENTILES.items():
        chart.add(
            name, [(at, _share(sorted(values), share)) for at, values in sorted(bins.items())]
        )
    lowest = min(min(values) for values in bins.values())
    chart.add("a batch begins", [(at - began, lowest) for at in batches], stroke=False, dots_size=3)
    chart.render_to_file(str(path))


def _bin(request: Request, began: float) -> int:
    return int((request.sent_at - began) // BIN_S) * BIN_S


def _share(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


if __name__ == "__main__":
    main()
