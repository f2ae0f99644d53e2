"""Run the product as an operator does: pyinfra as a process of its own, in a copy of the product.

The copy is what makes a session independent of edits in the working tree, and what lets a test edit
group_data or a build context as an operator would.
"""

from __future__ import annotations

import os
import pprint
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.lab import LabHost

PRODUCT = Path(__file__).parents[2]
PARTS = ("config.py", "deploy", "files", "group_data", "inventories", "roles", "tests/lab")
DEPLOY = "deploy/soa.py"
RUN_S = 600

Stdin = Literal["closed", "silent", "terminal"]
"""`closed` is at its end, `silent` stays open and never says a thing."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Run:
    """A run of pyinfra that has ended. `output` is stdout and stderr, without colours."""

    exit_code: int
    output: str
    duration_s: float

    @property
    def planned(self) -> list[str]:
        """The changes that were announced: `host: role: action: why`."""
        return re.findall(r"^ +~ (.*)$", self.output, re.MULTILINE)

    @property
    def done(self) -> list[str]:
        """The changes that were reported as made, in the same words."""
        return re.findall(r"^ +\+ (.*)$", self.output, re.MULTILINE)

    @property
    def problems(self) -> list[str]:
        """Every problem for which the run was refused: `host: key: text`."""
        _, *listed = re.split(r"\d+ problems?, and nothing was changed:", self.output)
        return re.findall(r"^  (\S+: .*)$", "".join(listed), re.MULTILINE)


class Running:
    """A pyinfra process; what it prints is read while it runs."""

    def __init__(self, argv: Sequence[str], directory: Path, stdin: Stdin) -> None:
        self._started = time.monotonic()
        self._printed = bytearray()
        self._terminal: int | None = None
        if stdin == "terminal":
            self._terminal, far_end = os.openpty()
            self._process = subprocess.Popen(
                argv, cwd=directory, stdin=far_end, stdout=far_end, stderr=far_end
            )
            os.close(far_end)
            source = self._terminal
        else:
            self._process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.DEVNULL if stdin == "closed" else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            assert self._process.stdout
            source = self._process.stdout.fileno()
        self._reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        text = bytes(self._printed).decode("utf-8", errors="replace")
        return re.sub(r"\r+\n?", "\n", _ESCAPES.sub("", text))

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, pattern: str, timeout_s: float = 120) -> None:
        """Return when it has printed what matches a regular expression."""
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, self.output, re.MULTILINE):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self._process.kill()
                end = "ended" if ended else f"ran for {timeout_s:g} s"
                raise AssertionError(f"{end} without printing '{pattern}':\n{self.output}")
            time.sleep(0.02)

    def type(self, text: str) -> None:
        assert self._terminal is not None, "started without a terminal"
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        self.send(signal.SIGINT)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = RUN_S) -> Run:
        """Return when it has ended; one that exceeds `timeout_s` is killed, and is an error."""
        try:
            exit_code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"did not end within {timeout_s:g} s:\n{self.output}") from None
        duration_s = time.monotonic() - self._started
        self._reader.join(5)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        if self._terminal is not None:
            os.close(self._terminal)
        return Run(exit_code, self.output, duration_s)

    def _read(self, source: int) -> None:
        try:
            while chunk := os.read(source, 65536):
                self._printed += chunk
        except OSError:
            return  # a terminal whose far end was closed


@dataclass(frozen=True)
class Listed:
    """A host as an inventory lists it: by default under its own name, in its own groups."""

    host: LabHost
    data: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    groups: Sequence[str] | None = None


@dataclass(frozen=True)
class Checkout:
    """A copy of the product in `directory`."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, source: Path = PRODUCT) -> Checkout:
        ignored = shutil.ignore_patterns("molecule")
        for part in PARTS:
            target = directory / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if (source / part).is_dir():
                shutil.copytree(source / part, target, symlinks=True, ignore=ignored)
            else:
                shutil.copy2(source / part, target)
        (directory / "tests" / "__init__.py").touch()
        return cls(directory)

    def copy(self, directory: Path) -> Checkout:
        return Checkout.make(directory, self.directory)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        file = self.directory / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} has '{old}' {text.count(old)} times"
        file.write_text(text.replace(old, new))

    def inventory(
        self,
        hosts: Iterable[LabHost | Listed],
        data: Mapping[str, Any] | None = None,
        user: str = "root",
        base_image: Path | None = None,
    ) -> str:
        """Write an inventory and return its path; `data` holds for every host."""
        listed = [host if isinstance(host, Listed) else Listed(host) for host in hosts]
        archives = {"debian:bookworm-slim": str(base_image)} if base_image else {}
        entries = []
        groups: dict[str, list[str]] = {name: [] for name in ("registry", "engine", "proxy", "sdk")}
        for entry in listed:
            name = entry.name or entry.host.name
            usual = {
                "ssh_hostname": entry.host.address,
                "ssh_user": user,
                "ssh_key": str(entry.host.private_key),
                "ssh_known_hosts_file": str(entry.host.known_hosts),
                "ssh_strict_host_key_checking": "yes",
                "images": {"base_archives": archives},
            }
            entries.append((name, merged(merged(usual, data or {}), entry.data)))
            for group in entry.host.groups if entry.groups is None else entry.groups:
                groups.setdefault(group, []).append(name)
        number = len(list((self.directory / "inventories").glob("written_*.py")))
        path = f"inventories/written_{number}.py"
        lines = [f"every = {pprint.pformat(entries)}"]
        lines += [f"{group} = {names!r}" for group, names in groups.items()]
        (self.directory / path).write_text("\n".join(lines) + "\n")
        return path

    def start(
        self, inventory: str, *options: str, deploy: str = DEPLOY, stdin: Stdin = "closed"
    ) -> Running:
        argv = [str(Path(sys.executable).with_name("pyinfra")), inventory, deploy, *options]
        return Running(argv, self.directory, stdin)

    def run(
        self,
        inventory: str,
        *options: str,
        deploy: str = DEPLOY,
        stdin: Stdin = "closed",
        timeout_s: float = RUN_S,
    ) -> Run:
        """Run pyinfra to its end."""
        return self.start(inventory, *options, deploy=deploy, stdin=stdin).wait(timeout_s)

    def dockyard(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command `dockyard` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *words],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, dicts merged key by key; what is above wins."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result
