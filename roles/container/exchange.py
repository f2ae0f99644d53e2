"""How a host is told to exchange a container: steps of one script, in one exec.

A step is a call of a function of shell/exchange.sh, word by word.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

SCRIPT = (Path(__file__).parent / "shell" / "exchange.sh").read_text()
LOCKS = "/var/run"
DOCKER_S = 60
"""How long Docker may take for a command that is quick by nature."""
MOST_CALLS = 25
"""More calls of docker than any script makes."""

RUNS_SINCE = "{{.Id}} {{.State.StartedAt}} {{.State.Running}}"
"""What tells one process of a container from the next, as `while_it_is` asks it."""

Step = list[str]


@dataclass(frozen=True)
class Exchange:
    """What all steps of one container's exchange have in common."""

    name: str
    stop_timeout_s: int
    ready_timeout_s: int = 0
    back: str = "nothing"
    """What ran before: `runs`, `stopped` (there was one, which did not run), or `nothing`."""
    policy: str = "no"
    """The restart policy that it had."""

    @property
    def limit_s(self) -> float:
        """More than all parts of a script may take by their own limits, and another run's before:
        what ends the script in the middle leaves nothing that puts back what ran before."""
        return 2 * self._wait_s + MOST_CALLS * DOCKER_S

    @property
    def _wait_s(self) -> int:
        return self.ready_timeout_s + 2 * (self.stop_timeout_s + DOCKER_S)

    def command(self, *steps: Step) -> list[str]:
        told = {
            "name": self.name,
            "stop_s": str(self.stop_timeout_s),
            "ready_s": str(self.ready_timeout_s),
            "docker_s": str(DOCKER_S),
            "wait_s": str(self._wait_s),
            "lock": f"{LOCKS}/dockyard-container-{self.name}.lock",
            "back": self.back,
            "policy": self.policy,
        }
        before = [f"{name}={shlex.quote(value)}" for name, value in told.items()]
        return ["sh", "-c", "\n".join([*before, SCRIPT, *map(shlex.join, steps)])]
