"""A lab that serves, for as long as something is measured on it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.lab import Lab, LabHost
from tests.lab.running import Checkout, Run, Running

LOOK_S = 0.02

_BATCH = re.compile(r"batch \d+ of \d+: .*")

LAB = os.environ.get("DOCKYARD_LAB", "bench")


@dataclass(frozen=True)
class Deployed:
    """Hosts that run what the product says, and how to deploy to them again."""

    lab: Lab
    checkout: Checkout

    @property
    def apps(self) -> list[LabHost]:
        """The hosts with an engine and a proxy."""
        return [host for host in self.lab.hosts if "engine" in host.groups]

    @property
    def registry(self) -> LabHost:
        return self.lab["registry-1"]

    def deploy(self, data: Mapping[str, Any]) -> Run:
        """Deploy with other data than the product's own; end the benchmark where that fails."""
        return self.roll(data)[0]

    def roll(self, data: Mapping[str, Any]) -> tuple[Run, list[float]]:
        """Do the same; tell, too, when each batch began (time.time())."""
        archive = self.lab.base_image()
        inventory = self.checkout.inventory(self.lab.hosts, data, base_image=archive)
        running = self.checkout.start(inventory, "-y")
        batches = list(_batches(running))
        run = running.wait()
        if run.exit_code != 0:
            raise SystemExit(run.output)
        return run, batches


def _batches(running: Running) -> Iterator[float]:
    """Yield the time at which each batch of a rollout begins, while it runs."""
    seen = 0
    while running.is_running:
        found = len(_BATCH.findall(running.output))
        yield from [time.time()] * (found - seen)
        seen = found
        time.sleep(LOOK_S)


@contextmanager
def deployed(hosts: int, data: Mapping[str, Any]) -> Iterator[Deployed]:
    """Yield a fleet of so many hosts and one registry, deployed to; take the lab away after it."""
    lab = Lab(LAB)
    try:
        lab.up(hosts=hosts, registry=1, with_docker=True)
        lab.reset(with_docker=True)
        with TemporaryDirectory() as directory:
            fleet = Deployed(lab, Checkout.make(Path(directory)))
            fleet.deploy(data)
            yield fleet
    finally:
        lab.down()
