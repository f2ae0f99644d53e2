"""A lab that serves, for as long as something is measured on it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.lab import Lab, LabHost
from tests.lab.running import Checkout, Run

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
        archive = self.lab.base_image()
        inventory = self.checkout.inventory(self.lab.hosts, data, base_image=archive)
        run = self.checkout.run(inventory, "-y")
        if run.exit_code != 0:
            raise SystemExit(run.output)
        return run


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
