"""A host itself, as the probe read what was asked of it: accounts, kernel, units, its own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MOST_BYTES = 262_144
"""How much of /etc/hosts the probe reads."""


@dataclass(frozen=True)
class HomePath:
    """What stands at a path of an account's; `owner` is a UID, `mode` octal."""

    kind: str
    owner: int
    mode: int


@dataclass(frozen=True)
class Account:
    """A user, as `getent passwd` tells it."""

    name: str
    uid: int
    home: str
    shell: str
    is_locked: bool | None = None
    """Whether no password is let in; None where /etc/shadow does not tell."""
    keys: tuple[str, ...] = ()
    """The lines of its authorized_keys that are keys."""
    places: Mapping[str, HomePath] = field(default_factory=dict)
    """Its home, `.ssh` and `authorized_keys` in it, those that exist."""
    is_barred: bool = False
    """Whether it is locked so that an sshd without PAM lets no key in either."""


@dataclass(frozen=True)
class Unit:
    """A unit of systemd's that exists."""

    is_enabled: bool
    is_active: bool
    is_masked: bool = False
    is_barred: bool = False
    """Whether a condition of its own has kept it from starting, as in a container."""


@dataclass(frozen=True)
class Sudoers:
    is_installed: bool
    error: str | None = None
    """What `visudo -c` says of the files as they are; None where they are right."""


@dataclass(frozen=True)
class Setup:
    """What was asked for and exists; all else is empty or None."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    """By name; whoever has a UID that was asked for is among them."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Live values; words are told apart by one space."""
    modules: frozenset[str] = frozenset()
    """Those that are loaded, or built in; with `_`, as the kernel has them."""
    units: Mapping[str, Unit] = field(default_factory=dict)
    static_name: str = ""
    """What /etc/hostname says."""
    hosts: str = ""
    """The text of /etc/hosts."""
    zone: str = ""
    """What /etc/localtime links to, behind `zoneinfo/`."""
    sudoers: Sudoers | None = None
    sshd: Mapping[str, str] = field(default_factory=dict)
    """What `sshd -T` tells of logging in with a password; `include` where it reads drop-ins."""
    blocks: Mapping[str, str] = field(default_factory=dict)
    """By file, the text between Dockyard's two marks."""
    unended: frozenset[str] = frozenset()
    """The files with a mark that begins a block of Dockyard's, and none that ends it."""

    def unit(self, *names: str) -> Unit | None:
        """The first of them that exists: units have other names elsewhere."""
        return next((self.units[name] for name in names if name in self.units), None)


def setup(lines: Iterable[str]) -> Setup:
    """Read the probe's section `setup`.

    Raises:
        ValueError, IndexError, KeyError: it is not what it should be.
    """
    of: dict[str, list[str]] = {}
    for line in lines:
        kind, _, rest = line.partition("|")
        of.setdefault(kind, []).append(rest)
    sysctls = (line.partition("|") for line in of.get("sysctl", ()))
    sshd = (line.partition(" ") for line in of.get("sshd", ()))
    return Setup(
        accounts={account.name: account for account in _accounts(of)},
        sysctls={name: " ".join(value.split()) for name, _, value in sysctls},
        modules=frozenset(of.get("module", ())),
        units=dict(_units(of.get("unit", ()))),
        static_name="".join(of.get("static", ())).strip(),
        hosts="".join(f"{line}\n" for line in of.get("hosts", ())),
        zone="".join(of.get("zone", ())).rpartition("zoneinfo/")[2],
        sudoers=_sudoers(of.get("sudoers", ())),
        sshd={key.lower(): value.strip().lower() for key, _, value in sshd},
        blocks=_blocks(of.get("block", ())),
        unended=frozenset(of.get("unended", ())),
    )


def _accounts(of: Mapping[str, list[str]]) -> Iterator[Account]:
    keys: dict[str, list[str]] = {}
    for line in of.get("key", ()):
        name, _, key = line.partition("|")
        keys.setdefault(name, []).append(key)
    places: dict[str, dict[str, HomePath]] = {}
    for line in of.get("place", ()):
        name, kind, owner, mode, path = line.split("|", 4)
        places.setdefault(name, {})[path] = HomePath(kind, int(owner), int(mode, 8))
    for line in of.get("user", ()):
        name, uid, home, shell, password = line.split("|")
        yield Account(
            name=name,
            uid=int(uid),
            home=home,
            shell=shell,
            is_locked={"barred": True, "locked": True, "open": False}.get(password),
            keys=tuple(dict.fromkeys(keys.get(name, ()))),  # asked for by name and UID: twice
            places=places.get(name, {}),
            is_barred=password == "barred",
        )


def _units(lines: Iterable[str]) -> Iterator[tuple[str, Unit]]:
    told: dict[str, str] = {}
    for line in (*lines, ""):
        key, _, value = line.partition("=")
        if line:
            told[key] = value
            continue
        if told.get("LoadState", "not-found") != "not-found":
            was_tried = told.get("ConditionTimestampMonotonic", "0") != "0"
            yield (
                told["Id"],
                Unit(
                    is_enabled=told.get("UnitFileState", "")
                    in ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated"),
                    is_active=told.get("ActiveState") in ("active", "activating", "reloading"),
                    is_masked=told["LoadState"] == "masked",
                    is_barred=was_tried and told.get("ConditionResult") == "no",
                ),
            )
        told = {}


def _sudoers(lines: Iterable[str]) -> Sudoers | None:
    for line in lines:
        status, _, error = line.partition("|")
        if status == "absent":
            return Sudoers(is_installed=False)
        return Sudoers(True, None if status == "0" else error.strip() or f"status {status}")
    return None


def _blocks(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        path, _, text = line.partition("|")
        found[path] = f"{found.get(path, '')}{text}\n"
    return found
