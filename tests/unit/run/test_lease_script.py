"""lease.sh under this machine's `sh`, with real locks and a clock of the test's own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path as File

import pytest

from roles.observed.holding import REFUSED
from roles.observed.lease import Lease, parse_lease
from roles.run.busy import CHANGED, HELD, RUNNING
from roles.run.lease import SCRIPT

HOME = b"/var/lib/dockyard/lease"
NOW_S = 1_764_000_000
ANN, BOB = "a1", "b2"
Done = subprocess.CompletedProcess[str]


class Leased:
    """A host's side of the lease, below a folder."""

    def __init__(self, folder: File) -> None:
        self.home = folder / "lease"
        self.script = SCRIPT.replace(HOME, str(self.home).encode())
        assert self.script != SCRIPT
        self._clock = folder / "now"
        self.set_clock(NOW_S)
        date = folder / "bin" / "date"
        date.parent.mkdir()
        # Of `date -d @TIME` it is asked the time of day.
        date.write_text(f'#!/bin/sh\ncase $1 in +%s) cat {self._clock} ;; *) echo "$3" ;; esac\n')
        date.chmod(0o755)
        self._path = f"{date.parent}:{os.environ['PATH']}"

    def set_clock(self, now_s: int) -> None:
        self._clock.write_text(f"{now_s}\n")

    def start(self, *words: str) -> subprocess.Popen[str]:
        argv = ["sh", "-c", 'script=$(cat); eval "$script"', "lease", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            argv, env={"PATH": self._path}, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        assert process.stdin
        process.stdin.write(self.script.decode())
        process.stdin.close()
        process.stdin = None
        return process

    def ask(self, *words: str) -> Done:
        process = self.start(*words)
        stdout, stderr = process.communicate(timeout=20)
        return Done(words, process.returncode, stdout, stderr)

    def take(self, token: str, generation: int = 0, ttl_s: int = 60) -> Done:
        owner = {ANN: "ann@laptop", BOB: "bob@desk"}.get(token, token)
        return self.ask("take", token, str(ttl_s), str(generation), owner, "deploy/soa.py")

    def begin(self, token: str, *command: str) -> subprocess.Popen[str]:
        """Have the installed script run a command, as every later command of a run is sent."""
        words = ["sh", str(self.home / "lease.sh"), "do", token, *command]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            words, env={"PATH": self._path}, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def do(self, token: str, *command: str, stdin: str = "") -> Done:
        process = self.begin(token, *command)
        stdout, stderr = process.communicate(stdin, timeout=20)
        return Done(command, process.returncode, stdout, stderr)

    def renew(self, token: str, ttl_s: int = 60) -> int:
        return self.ask("renew", token, str(ttl_s)).returncode

    def release(self, token: str) -> int:
        return self.ask("release", token).returncode

    @property
    def record(self) -> Lease:
        """The record as the probe tells it."""
        lines = (self.home / "record").read_text().splitlines()
        return parse_lease([f"now={self._clock.read_text().strip()}", *(f"|{x}" for x in lines)])


@pytest.fixture
def host(tmp_path: File) -> Leased:
    return Leased(tmp_path)


def told(done: Done) -> Lease:
    return parse_lease(done.stdout.splitlines())


def test_who_takes_it_has_it_and_every_other_is_told_who(host: Leased) -> None:
    assert host.take(ANN).returncode == 0
    assert host.record == Lease(ANN, NOW_S + 60, 1, "ann@laptop", NOW_S, "deploy/soa.py", left_s=60)
    host.set_clock(NOW_S + 59)
    refused = host.take(BOB, generation=1)
    assert refused.returncode == HELD
    assert (told(refused).owner, told(refused).since_s, told(refused).left_s) == (
        "ann@laptop",
        NOW_S,
        1,
    )
    assert host.record.token == ANN


def test_two_that_come_at_once_never_both_have_it(host: Leased) -> None:
    for generation in range(50):
        both = {t: host.start("take", t, "60", str(generation), t, "x") for t in (ANN, BOB)}
        for process in both.values():
            process.communicate(timeout=20)
        codes = {process.returncode: token for token, process in both.items()}
        assert len(codes) == 2
        assert codes.keys() <= {0, HELD, RUNNING}
        winner = codes[0]
        assert (host.record.token, host.record.generation) == (winner, generation + 1)
        assert host.release(winner) == 0


def test_it_runs_out_by_itself(host: Leased) -> None:
    host.take(ANN)
    host.set_clock(NOW_S + 60)
    assert host.renew(ANN) == REFUSED, "even if nobody has taken it"
    assert host.do(ANN, "true").returncode == REFUSED
    taken = host.take(BOB, generation=1)
    assert (taken.returncode, taken.stdout.split()) == (0, ["late"])
    assert (host.record.owner, host.record.generation) == ("bob@desk", 2)


def test_renewed_it_goes_on(host: Leased) -> None:
    host.take(ANN)
    host.set_clock(NOW_S + 50)
    assert host.renew(ANN) == 0
    host.set_clock(NOW_S + 109)
    assert host.take(BOB, generation=1).returncode == HELD
    assert host.do(ANN, "true").returncode == 0
    assert (host.record.since_s, host.record.expires_s) == (NOW_S, NOW_S + 110)
    assert host.renew(BOB) == REFUSED


def test_whose_it_is_can_be_asked(host: Leased) -> None:
    assert host.ask("holds", ANN).returncode != 0
    host.take(ANN)
    assert host.ask("holds", ANN).returncode == 0
    assert host.ask("holds", BOB).returncode != 0
    host.set_clock(NOW_S + 60)
    assert host.ask("holds", ANN).returncode != 0


def test_a_command_is_run_as_it_is(host: Leased) -> None:
    host.take(ANN)
    done = host.do(ANN, "sh", "-c", 'cat; printf "[%s]" "$@"; exit 9', "x", "a b", "$c", stdin="in")
    assert (done.returncode, done.stdout, done.stderr) == (9, "in[a b][$c]", "")


def test_a_command_of_who_lost_it_is_not_run_and_is_told_why(host: Leased, tmp_path: File) -> None:
    mark = tmp_path / "mark"
    host.take(ANN)
    host.set_clock(NOW_S + 61)
    late = host.do(ANN, "touch", str(mark))
    assert (late.returncode, late.stderr) == (
        REFUSED,
        f"lease: it ran out at @{NOW_S + 60}, and was not renewed in time; this was not done\n",
    )
    host.take(BOB, generation=1)
    taken = host.do(ANN, "touch", str(mark))
    assert taken.returncode == REFUSED
    assert f"bob@desk took it at @{NOW_S + 61} (deploy/soa.py); this was not" in taken.stderr
    (host.home / "record").unlink()
    assert "its record is gone" in host.do(BOB, "touch", str(mark)).stderr
    assert not mark.exists()


def test_who_has_not_seen_what_another_did_does_not_get_it(host: Leased) -> None:
    host.take(ANN)
    assert host.release(ANN) == 0
    stale = host.take(BOB, generation=0)
    assert stale.returncode == CHANGED
    assert told(stale).owner == "ann@laptop"
    assert not host.record.is_held
    again = host.take(BOB, generation=1)
    assert (again.returncode, again.stdout) == (0, "")


def test_only_ones_own_is_given_back(host: Leased) -> None:
    host.take(ANN)
    assert host.release(BOB) == REFUSED
    assert host.record.token == ANN
    assert host.release(ANN) == 0
    assert host.do(ANN, "true").returncode == REFUSED


def test_a_command_of_a_dead_run_is_waited_for(host: Leased, tmp_path: File) -> None:
    host.take(ANN)
    begun, ends = tmp_path / "begun", tmp_path / "ends"
    wait = f"touch {begun}; until [ -e {ends} ]; do sleep 0.01; done"
    running = host.begin(ANN, "sh", "-c", wait)
    _await(begun)
    assert host.renew(ANN) == 0, "a command that runs is in nobody's way but a taker's"
    assert host.take(BOB, generation=1).returncode == HELD
    host.set_clock(NOW_S + 61)
    busy = host.take(BOB, generation=1)
    assert (busy.returncode, told(busy).owner) == (RUNNING, "ann@laptop")
    ends.touch()
    running.communicate(timeout=20)
    assert host.take(BOB, generation=1).returncode == 0


def test_what_a_command_leaves_running_holds_nobody_up(host: Leased) -> None:
    host.take(ANN)
    done = host.do(ANN, "sh", "-c", "sleep 5 >/dev/null 2>&1 </dev/null & echo $!")
    host.set_clock(NOW_S + 61)
    assert host.take(BOB, generation=1).returncode == 0
    os.kill(int(done.stdout), 15)


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "open to all before"])
def test_nobody_else_can_lock_it_or_read_the_token(host: Leased, is_there: bool) -> None:
    """A file that may be read may be locked: any account of the host could keep all runs out."""
    if is_there:
        host.home.mkdir(mode=0o755)
        (host.home / "lock").touch(0o644)
    host.take(ANN)
    assert host.home.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in host.home.iterdir()}
    modes.pop("lock" if is_there else "", None)
    assert set(modes.values()) == {0o600}
    assert modes.keys() >= {"lease.sh", "record", "writing"}
    assert host.do(ANN, "sh", "-c", "umask").stdout == "0022\n"


def test_what_lies_beside_it_stays_open(tmp_path: File) -> None:
    (tmp_path / "deep").mkdir()
    host = Leased(tmp_path / "deep")
    host.home = tmp_path / "deep" / "dockyard" / "lease"
    host.script = SCRIPT.replace(HOME, str(host.home).encode())
    host.take(ANN)
    assert host.home.parent.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("spoilt", ["", "a1\nsoon\n", "a1\n", "\0\0\0", "a1\n99999999999\n1\n"])
def test_a_record_that_is_spoilt_is_nobodys(host: Leased, spoilt: str) -> None:
    host.take(ANN)
    (host.home / "record").write_text(spoilt)
    assert not host.record.is_held
    generation = host.record.generation
    assert host.do(ANN, "true").returncode == REFUSED
    assert host.take(BOB, generation).returncode == 0
    assert host.record.is_held


def test_a_clock_that_was_set_back_leases_nothing_for_long(host: Leased) -> None:
    host.take(ANN)
    host.set_clock(NOW_S - 86_400)
    assert not host.record.is_held
    assert host.do(ANN, "true").returncode == REFUSED
    assert host.take(BOB, generation=1).returncode == 0


def _await(path: File) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)
