"""How fast a check for drift is: beside only connecting, beside Ansible, and with many hosts.

python -m tests.bench.drift

All that is compared takes turns in one run, so that whatever else the machine does meets all. The
hosts share this machine's processors with what asks them, as no real fleet does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.deployed import Deployed, deployed
from tests.bench.many import many
from tests.bench.playbook import Playbook
from tests.lab import LabHost
from tests.lab.reading import of_each, up, wait_until
from tests.lab.running import Listed

APPS = 7
ROUNDS = 5
ROUNDS_OF_MANY = 3
FEW, MANY = 50, 500
IN_SYNC, DRIFT = 0, 2

# Checks in process, and tells the sockets that are open before and after; the first loads all.
SOCKETS = """
from gevent import monkey; monkey.patch_all()
import json, os, sys
from roles.drift.process import check_inventory
def sockets():
    links = []
    for each in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink("/proc/self/fd/" + each))
        except OSError:
            pass
    return sum(link.startswith("socket:") for link in links)
before = sockets()
report = check_inventory(sys.argv[1], (), {}, os.getcwd())
states = sorted({host.state for host in report.hosts})
print(json.dumps({"states": states, "hosts": len(report.hosts), "left": sockets() - before}))
"""


@dataclass(frozen=True)
class Timed:
    took_s: float
    cpu_s: float
    """What it, and those that it waited for, took of the control machine's processors."""
    peak_mb: float
    """Of its own process and those that it waited for, whichever was largest."""
    exit_code: int
    output: str


def timed(argv: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Timed:
    """Run a program to its end."""
    with TemporaryDirectory() as directory, (Path(directory) / "output").open("w+") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took_s = time.monotonic() - began
        output.seek(0)
        cpu_s = used.ru_utime + used.ru_stime
        return Timed(took_s, cpu_s, used.ru_maxrss / 1024, process.returncode, output.read())


@dataclass(frozen=True)
class Commands:
    """What is timed on the eight hosts; each raises where it did not do what it should."""

    folder: Path
    inventory: str
    playbook: Playbook

    def drift(self, expected: int = IN_SYNC) -> Timed:
        return _ended(timed(drift_of(self.inventory), self.folder), expected)

    def connect(self) -> Timed:
        """Connect to every host and run `true` there."""
        pyinfra = str(Path(sys.executable).with_name("pyinfra"))
        return _ended(timed([pyinfra, self.inventory, "exec", "--", "true"], self.folder), 0)

    def ansible(self, changed: int = 0) -> Timed:
        """Run the playbook; `changed` is how many tasks are to find a difference."""
        run = _ended(timed(self.playbook.argv, self.folder, self.playbook.environment), 0)
        found = sum(int(line.partition("changed=")[2].split()[0]) for line in _recap(run.output))
        if found != changed:
            raise SystemExit(f"{changed} differences expected, {found} found:\n{run.output}")
        return run


def _recap(output: str) -> list[str]:
    return [line for line in output.splitlines() if "changed=" in line and "unreachable=" in line]


def drift_of(inventory: str) -> list[str]:
    return [sys.executable, "-m", "deploy.cli", "drift", inventory]


def _ended(run: Timed, expected: int) -> Timed:
    if run.exit_code != expected:
        raise SystemExit(f"exit code {run.exit_code} instead of {expected}:\n{run.output}")
    return run


def beside_others(fleet: Deployed, folder: Path) -> str:
    """Time the check, only connecting, and the playbook, in turns."""
    hosts = fleet.lab.hosts
    inventory = fleet.checkout.inventory(hosts, base_image=fleet.lab.base_image())
    wait_until(lambda: _all_up(fleet.apps), "all engines up")
    commands = Commands(fleet.checkout.directory, inventory, Playbook.make(folder / "a", hosts))
    _see_both_find(commands, fleet.apps[0])
    runs: dict[str, list[Timed]] = {"drift": [], "connect": [], "ansible": []}
    for _ in range(ROUNDS):
        for name, each in runs.items():
            each.append(getattr(commands, name)())
    wall = [statistics.median(run.took_s for run in each) for each in runs.values()]
    own = [statistics.median(run.cpu_s for run in each) for each in runs.values()]
    return (
        f"{len(hosts)} hosts, medians of {ROUNDS}\n"
        f"from start to end: {_compared(*wall)}\n"
        f"the control machine's processors: {_compared(*own)}\n"
    )


def _compared(drift_s: float, connect_s: float, ansible_s: float) -> str:
    return (
        f"dockyard drift {drift_s:.2f} s; pyinfra exec -- true {connect_s:.2f} s, drift takes "
        f"{drift_s / connect_s:.2f} times that; ansible-playbook --check {ansible_s:.2f} s, "
        f"{ansible_s / drift_s:.1f} times drift's"
    )


def _all_up(apps: Sequence[LabHost]) -> bool:
    names = {f"{host.address}:1080" for host in apps}
    return all(found == names for found in of_each(apps, up).values())


def _see_both_find(commands: Commands, host: LabHost) -> None:
    """End the benchmark where one of them does not see a changed limit."""
    host.run("docker update --pids-limit 100 osp-proxy")
    commands.drift(DRIFT)
    commands.ansible(changed=1)
    host.run("docker update --pids-limit 128 osp-proxy")
    commands.drift()
    commands.ansible()


def with_many(fleet: Deployed, folder: Path) -> str:
    """Time few and many entries in turns; look at memory and sockets, too."""
    connection = {"registry": {"connection": f"{fleet.registry.address}:2181"}}
    checkout, archive = fleet.checkout, fleet.lab.base_image()
    of_each(fleet.apps, lambda host: host.run("docker ps -aq | xargs docker rm -f"))
    plain = [Listed(host, groups=["sdk"]) for host in fleet.apps]
    run = checkout.run(checkout.inventory(plain, connection, base_image=archive), "-y")
    if run.exit_code != 0:
        raise SystemExit(run.output)
    with many(fleet.apps) as entries:
        known_hosts = folder / "known_hosts"
        entries.write_known_hosts(known_hosts)
        inventories = {
            number: checkout.inventory(
                entries.listed(number, known_hosts), connection, base_image=archive
            )
            for number in (FEW, MANY)
        }
        runs: dict[int, list[Timed]] = {FEW: [], MANY: []}
        for _ in range(ROUNDS_OF_MANY):
            for number, inventory in inventories.items():
                run_of_it = timed(drift_of(inventory), checkout.directory)
                runs[number].append(_ended(run_of_it, IN_SYNC))
        left = _sockets_left(checkout.directory, inventories[MANY])
    few_s, many_s = (statistics.median(run.took_s for run in each) for each in runs.values())
    few_mb, many_mb = (max(run.peak_mb for run in each) for each in runs.values())
    return (
        f"medians of {ROUNDS_OF_MANY}: {FEW} entries {few_s:.1f} s, {MANY} entries {many_s:.1f} s, "
        f"{many_s / few_s:.1f} times that; peak memory {few_mb:.0f} and {many_mb:.0f} MB; "
        f"{left} sockets left open after {MANY}\n"
    )


def _sockets_left(folder: Path, inventory: str) -> int:
    run = _ended(timed([sys.executable, "-c", SOCKETS, inventory], folder), 0)
    told = json.loads(run.output.splitlines()[-1])
    if (told["states"], told["hosts"]) != (["in sync"], MANY):
        raise SystemExit(f"{MANY} hosts in sync expected, found {told}")
    return int(told["left"])


def main() -> None:
    with deployed(APPS, {}) as fleet, TemporaryDirectory() as directory:
        _tell(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors before\n")
        _tell(beside_others(fleet, Path(directory)))
        _tell(with_many(fleet, Path(directory)))
        _tell(f"load {os.getloadavg()[0]:.1f} after\n")


def _tell(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
