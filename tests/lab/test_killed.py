"""`kill -9` of the controller at any moment of a rollout, or its silence: the fleet serves on."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tests.lab.conftest import Fleet
from tests.lab.load import load
from tests.lab.reading import (
    ENGINES,
    await_expiry,
    containers,
    of_each,
    registered,
    up,
    wait_until,
)
from tests.lab.running import Checkout, Run, Running
from tests.lab.test_failures import ENGINE, PROXY, RATE_PER_S, is_whole

SESSION_S = 10
"""How long the controller's mark outlives it."""
SPARE_S = 4
"""A server of the registry ends sessions at its ticks of 2 s; then the engine is found again."""
LEASE_S = 10
UNDER_WAY_S = 0.4
SHORT_S = 15
LOOK_S = 3
"""How often a host looks whether the lease still holds."""
FIRST = "app-1"
LIMIT = ["--limit", FIRST]
MOST_COMMANDS = 40
"""More than a rollout over three hosts sends."""
EXCHANGE, DRAIN = "exchange replace", "kill --signal SIGUSR1"
SIGNAL = {"by": "signal", "signal": "SIGUSR1", "undrain_signal": "SIGUSR2"}

KILLER = '''

def _kill_by_wish():
    """Count the remote commands of this run; end with the one that `kill.json` names.

    But for those of the lease, which are sent by the clock.
    """
    import json, os, re, signal
    from pathlib import Path
    import gevent
    from paramiko import Channel
    from pyinfra.connectors.ssh import SSHConnector
    from roles.observed import channel

    wish = json.loads(Path("kill.json").read_text())
    counted = {"sent": 0, "ended": 0}
    log = Path("commands.log").open("w", buffering=1)

    def count(what, command):
        line = command if isinstance(command, str) else " ".join(map(str, command))
        if wish["of"] not in line or re.search(" lease (take|renew|release) ", line):
            return False
        counted[what] += 1
        log.write(f"{what} {counted[what]} {line[-70:]!r}\\n")
        return counted[what] == wish["at"]

    def die():
        os.kill(os.getpid(), signal.Signals[wish["by"]])

    send, run, theirs = Channel.exec_command, channel.run, SSHConnector.run_shell_command

    def exec_command(self, line):
        send(self, line)
        if count("sent", line):
            if wish["when"] == "sent":
                die()
            if wish["when"] == "under way":
                gevent.spawn_later(wish["after_s"], die)

    def ended(execute, at):
        def wrapped(*arguments, **more):
            try:
                return execute(*arguments, **more)
            finally:
                if count("ended", arguments[at]) and wish["when"] == "ended":
                    die()
        return wrapped

    Channel.exec_command = exec_command
    channel.run = ended(run, 2)
    SSHConnector.run_shell_command = ended(theirs, 1)


_kill_by_wish()
'''


@dataclass(frozen=True)
class Killed:
    """The fleet, deployed to by a controller that can be killed at any command."""

    fleet: Fleet
    checkout: Checkout

    def run(self, turn: str, *options: str, at: int = 0, when: str = "", of: str = "") -> Run:
        """Replace every engine; killed at the `at`th command that has `of` in it, or never."""
        return self.start(turn, *options, at=at, when=when, of=of).wait()

    def start(
        self, turn: str, *options: str, at: int, when: str, of: str, by: str = "SIGKILL"
    ) -> Running:
        wish = {"at": at, "when": when, "of": of, "by": by, "after_s": UNDER_WAY_S}
        (self.checkout.directory / "kill.json").write_text(json.dumps(wish))
        changed = f"soa_engine.environment.TURN={turn}"
        data = ("--data", changed, "--data", f"rollout.lease_s={LEASE_S}")
        return self.checkout.start(self.fleet.inventory, "-y", *data, *options)

    @property
    def commands(self) -> list[str]:
        """What the last run sent, in its order."""
        lines = (self.checkout.directory / "commands.log").read_text().splitlines()
        return [line for line in lines if line.startswith("sent")]

    def run_killed(self, turn: str, *options: str, at: int, when: str, of: str = "") -> None:
        """The same, killed; fail unless all engines serve again by themselves."""
        run = self.run(turn, *options, at=at, when=when, of=of)
        assert run.exit_code == -9, run.output
        wait_until(lambda: is_whole(self.fleet), "all serve again", SESSION_S + SPARE_S)
        await_expiry(self.fleet.hosts, 3 * LEASE_S)

    def finish(self, turn: str, *options: str) -> None:
        """Run it again, to its end; fail unless it leaves what is wanted, and nothing else."""
        again = self.run(turn, *options)
        assert again.exit_code == 0, again.output
        found = of_each(self.fleet.apps, containers)
        for host, there in found.items():
            assert set(there) == {ENGINE, PROXY}, host
            assert all(container.running for container in there.values()), host
            assert there[ENGINE].environment.get("TURN") == turn or (options and host != FIRST)
        silent = self.run(turn, *options)
        assert (silent.exit_code, silent.planned) == (0, [])
        assert is_whole(self.fleet)


@pytest.fixture(scope="module")
def killed(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    own = fleet.checkout.copy(tmp_path_factory.mktemp("killed"))
    config = own.directory / "config.py"
    config.write_text(config.read_text() + KILLER)
    wait_until(lambda: is_whole(fleet), "all engines registered and up")
    yield Killed(fleet, own)
    back = fleet.deploy()
    assert back.exit_code == 0, back.output


def by_signal() -> list[str]:
    return [
        word
        for key, value in SIGNAL.items()
        for word in ("--data", f"soa_engine.drain.{key}={value}")
    ]


def test_a_controller_killed_at_its_worst_moments_leaves_a_fleet_that_serves(
    killed: Killed,
) -> None:
    """While a host exchanges its engine, when the next one was drained by a signal, and when that
    host has its new engine, which nobody has proven."""
    with load(sorted(killed.fleet.proxies), RATE_PER_S) as calls:
        killed.run_killed("worst", at=1, when="under way", of=EXCHANGE)
        killed.run_killed("worst", *by_signal(), at=1, when="ended", of=DRAIN)
        killed.run_killed("worst", at=1, when="ended", of=EXCHANGE)
        killed.finish("worst")
    assert calls.failed == []


@pytest.mark.full
def test_a_controller_that_falls_silent_leaves_a_fleet_that_serves_and_holds_nobody_up(
    killed: Killed,
) -> None:
    """It lost its power or its network: nothing ends its connections, but its lease runs out."""
    short = ("--data", f"rollout.lease_s={SHORT_S}")
    silent = killed.start(
        "silent", *by_signal(), *short, at=1, when="ended", of=DRAIN, by="SIGSTOP"
    )
    wait_until(lambda: not is_whole(killed.fleet), "an engine has left", 120)
    await_expiry(killed.fleet.hosts, 2 * SHORT_S)
    wait_until(lambda: is_whole(killed.fleet), "all serve again", LOOK_S + SPARE_S)
    assert silent.is_running
    killed.finish("silent")
    silent.send(signal.SIGKILL)
    silent.wait()


@pytest.mark.full
@pytest.mark.parametrize(
    "when, options, limit",
    [
        ("ended", [], []),
        ("ended", by_signal(), LIMIT),
        ("under way", [], LIMIT),
        ("under way", by_signal(), LIMIT),
        ("sent", [], LIMIT),
        ("sent", by_signal(), LIMIT),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_a_controller_killed_at_any_command_leaves_a_fleet_that_serves(
    killed: Killed, when: str, options: list[str], limit: list[str]
) -> None:
    """All commands of a rollout over three hosts; otherwise all of one over one host."""
    kind = f"{when.replace(' ', '-')}-{len(options)}"
    run = killed.run(f"{kind}-0", *options, *limit)
    assert run.exit_code == 0, run.output
    total = len(killed.commands)
    assert 3 < total < MOST_COMMANDS, killed.commands
    for number in range(1, total + 1):
        turn = f"{kind}-{number}"
        killed.run_killed(turn, *options, *limit, at=number, when=when)
        killed.finish(turn, *limit)


def addresses(names: set[str]) -> set[str]:
    return {name.rpartition(":")[0] for name in names}


@pytest.mark.full
def test_a_controller_killed_while_one_starts_beside_the_other_leaves_a_fleet_that_serves(
    killed: Killed,
) -> None:
    fleet = killed.fleet
    data = {"soa_engine": {"second_port": 1081}}
    inventory = killed.checkout.inventory(fleet.hosts, data, base_image=fleet.lab.base_image())
    beside = replace(killed, fleet=replace(fleet, inventory=inventory))
    hosts = {host.address for host in fleet.apps}

    def serve() -> bool:
        listed = [addresses(up(host)) for host in fleet.apps]
        return [addresses(registered(fleet.registry)[ENGINES]), *listed] == [hosts] * 4

    for when, of in (
        ("under way", "\nbeside --"),
        ("ended", "\nbeside --"),
        ("ended", f"\nstop {ENGINE}"),
        ("under way", "\nsettle"),
    ):
        run = beside.run("beside", at=1, when=when, of=of)
        assert run.exit_code == -9, run.output
        wait_until(serve, "all serve again", SESSION_S + SPARE_S)
    last = beside.run("beside")
    assert last.exit_code == 0, last.output
    found = of_each(fleet.apps, containers)
    assert [set(there) for there in found.values()] == [{ENGINE, PROXY}] * 3
    assert beside.run("beside").planned == []
