"""Rollouts of engines and proxies, one after the other, under load: nothing may be lost.

python -m tests.bench.soak --requests 1000000 --rollouts 50 --plot soak.svg

The plot shows latency over time, and marks each batch. Exits with 1 where a request had no answer,
was served twice, or was answered by no engine.
"""

from __future__ import annotations

import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pygal

from tests.lab import Lab
from tests.lab.load import SLOW_S, Load, Request, load
from tests.lab.running import Checkout, Running

LOGS = "/apps/logs/sayhello-service-engine"
BIN_S = 5
LOOK_S = 0.1
ROLLOUT_S = 300
PERCENTILES = {"p50": 0.5, "p99": 0.99, "max": 1.0}

_BATCH = re.compile(r"batch \d+ of \d+: .*")


@click.command()
@click.option("--requests", default=1_000_000, show_default=True)
@click.option("--rollouts", default=50, show_default=True)
@click.option("--rate", "rate_per_s", default=450.0, show_default=True, help="Requests a second.")
@click.option("--limit-s", default=4800, show_default=True, help="When to give up.")
@click.option("--plot", type=click.Path(path_type=Path), default="soak.svg", show_default=True)
def main(requests: int, rollouts: int, rate_per_s: float, limit_s: int, plot: Path) -> None:
    """Roll engines and proxies out again and again under load, and count every request."""
    lab = Lab("soak")
    lab.up()
    lab.reset()
    began = time.monotonic()
    try:
        with TemporaryDirectory() as directory:
            fleet = Soaked(lab, Checkout.make(Path(directory)))
            fleet.roll(0)
            with load(fleet.proxies, rate_per_s) as calls:
                batches = []
                for turn in range(1, rollouts + 1):
                    batches += fleet.roll(turn)
                    told = f"{turn} rollouts, {len(calls.requests)} requests"
                    sys.stdout.write(f"{told}, {len(calls.failed)} failed\n")
                    sys.stdout.flush()
                    if time.monotonic() - began > limit_s:
                        raise SystemExit(f"not done within {limit_s} s")
                calls.wait_for(requests, limit_s - (time.monotonic() - began))
            draw(calls, batches, plot)
            tell(calls, len(batches))
            calls.assert_none_lost(fleet.engines, LOGS)
            sys.stdout.write("no request was lost, and none was served twice\n")
    finally:
        lab.down()


class Soaked:
    """A fleet whose proxies never send a request twice, and whose engines end at once."""

    def __init__(self, lab: Lab, checkout: Checkout) -> None:
        self.engines = [host for host in lab.hosts if "engine" in host.groups]
        self.proxies = [f"{host.address}:2080" for host in self.engines]
        self._lab = lab
        self._checkout = checkout

    def roll(self, turn: int) -> list[float]:
        """Replace every engine, every second time every proxy too; return when batches began."""
        data = {
            "soa_engine": {"environment": {"STOP_GRACE_S": "0", "TURN": str(turn)}},
            "proxy": {"environment": {"OSP_RETRIES": "0", "TURN": str(turn // 2)}},
            "rollout": {"batch": 1 + turn % 2},
        }
        archive = self._lab.base_image()
        inventory = self._checkout.inventory(self._lab.hosts, data, base_image=archive)
        running = self._checkout.start(inventory, "-y")
        batches = list(_batches(running))
        run = running.wait(ROLLOUT_S)
        if run.exit_code != 0 or (turn and not run.done):
            raise SystemExit(run.output)
        return batches


def _batches(running: Running) -> Iterator[float]:
    """Yield the time at which each batch of a rollout begins, while it runs."""
    seen = 0
    while running.is_running:
        found = len(_BATCH.findall(running.output))
        yield from [time.time()] * (found - seen)
        seen = found
        time.sleep(LOOK_S)


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
