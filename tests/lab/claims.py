"""What labs share on one machine: subnets, and kernel settings that the first one changes.

Recorded under /run, since both end with the machine's next boot. The last lab that leaves puts the
kernel settings back.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.lab.command import LabError
from tests.lab.files import lock, write_atomically

RUN = Path("/run/dockyard-lab")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SETTINGS = {
    "net/ipv4/ip_forward": 1,
    # 128, the kernel's default, ends the boot of the twentieth host or so.
    "fs/inotify/max_user_instances": 8192,
}
PREFERRED = {"lab": 0, "test": 1}
SUBNETS = 512  # /24s in 198.18.0.0/15


@dataclass
class Claims:
    """The record: who has which subnet, and what kernel settings were before."""

    boot_id: str
    subnets: dict[str, int] = field(default_factory=dict)
    settings: dict[str, int] = field(default_factory=dict)

    def free_subnet(self, name: str) -> int:
        taken = set(self.subnets.values())
        others = list(range(len(PREFERRED), SUBNETS))
        order = [PREFERRED[name], *others] if name in PREFERRED else others
        return next(number for number in order if number not in taken)


def claim(directory: Path, wanted: int | None) -> int:
    """Return the number of the subnet of the lab in ``directory``, and change kernel settings.

    ``wanted`` is the one it had before, if any. Raises LabError if another lab has that by now.
    """
    with lock(RUN / "lock"):
        claims = _read()
        number = claims.subnets.get(str(directory))
        if number is None:
            number = claims.free_subnet(directory.name) if wanted is None else wanted
        for other, taken in claims.subnets.items():
            if taken == number and other != str(directory):
                raise LabError(f"{directory}: the lab in {other} has its subnet; down one of them")
        claims.subnets[str(directory)] = number
        for name, value in SETTINGS.items():
            current = _setting(name)
            if current < value:
                claims.settings.setdefault(name, current)
        _write(claims)  # first: after a crash the old values must be known
        for name, value in SETTINGS.items():
            if _setting(name) < value:
                _set(name, value)
        return number


def release(directory: Path) -> None:
    """Give the subnet back; the last lab also puts the kernel settings back."""
    with lock(RUN / "lock"):
        claims = _read()
        claims.subnets.pop(str(directory), None)
        if not claims.subnets:
            for name, value in claims.settings.items():
                _set(name, value)
            claims.settings.clear()
        _write(claims)


def _read() -> Claims:
    boot_id = BOOT_ID.read_text().strip()
    try:
        claims = Claims(**json.loads((RUN / "claims.json").read_text()))
    except FileNotFoundError:
        return Claims(boot_id)
    return claims if claims.boot_id == boot_id else Claims(boot_id)


def _write(claims: Claims) -> None:
    write_atomically(RUN / "claims.json", json.dumps(asdict(claims), indent=2) + "\n")


def _setting(name: str) -> int:
    return int(Path("/proc/sys", name).read_text())


def _set(name: str, value: int) -> None:
    Path("/proc/sys", name).write_text(f"{value}\n")
