"""How long a run goes on after the slowest host's own packages are installed: 8 bare hosts at once.

python -m tests.bench.engine_install
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab import Lab, LabHost
from tests.lab.reading import of_each
from tests.lab.running import Checkout

HOSTS = 8
PACKAGES_DONE = "tail -n 1 /var/log/dpkg.log | cut -d' ' -f1,2"


def main() -> None:
    lab = Lab("bench")
    lab.up(hosts=HOSTS, registry=0)
    lab.reset()
    try:
        with TemporaryDirectory() as directory:
            checkout = Checkout.make(Path(directory))
            inventory = checkout.inventory(lab.hosts)
            run = checkout.run(inventory, "-y", deploy="deploy/engine.py")
            ended = time.time()
        if run.exit_code != 0:
            raise SystemExit(run.output)
        done = of_each(lab.hosts, packages_done)
        after_s = ended - max(done.values())
        spread_s = max(done.values()) - min(done.values())
        sys.stdout.write(
            f"{HOSTS} hosts in {run.duration_s:.1f} s; it ended {after_s:.1f} s after the slowest "
            f"package transaction, which ended {spread_s:.1f} s after the fastest\n"
        )
    finally:
        lab.down()


def packages_done(host: LabHost) -> float:
    """When dpkg wrote its last line there; the hosts share this machine's clock, and are on UTC."""
    told = host.run(PACKAGES_DONE).stdout.strip()
    return datetime.fromisoformat(f"{told}+00:00").timestamp()


if __name__ == "__main__":
    main()
