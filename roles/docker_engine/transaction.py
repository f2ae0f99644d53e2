"""What a package manager says that it would do: read from its rehearsal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DNF_SECTIONS = {  # of dnf, and of yum before it
    "Installing:": "installs",
    "Installing dependencies:": "installs",
    "Installing weak dependencies:": "installs",
    "Installing for dependencies:": "installs",
    "Upgrading:": "upgrades",
    "Updating:": "upgrades",
    "Updating for dependencies:": "upgrades",
    "Downgrading:": "downgrades",
    "Removing:": "removals",
    "Removing dependent packages:": "removals",
    "Removing for dependencies:": "removals",
    "Removing unused dependencies:": "removals",
}


@dataclass(frozen=True)
class Transaction:
    """Packages with the versions that they would have; of `removals` those that they have."""

    pins: Mapping[str, str] = field(default_factory=dict)
    """The engine's own packages, in the version that was chosen for them."""
    installs: Mapping[str, str] = field(default_factory=dict)
    upgrades: Mapping[str, str] = field(default_factory=dict)
    downgrades: Mapping[str, str] = field(default_factory=dict)
    removals: Mapping[str, str] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    """Packages that somebody holds, and that would change all the same."""

    def version_of(self, package: str) -> str | None:
        for found in (self.pins, self.installs, self.upgrades, self.downgrades):
            if package in found:
                return found[package]
        return None


def parse(output: str) -> Transaction:
    """Read what `rehearse` and `rehearse_files` print: see apt.sh and dnf.sh."""
    lines = [line.partition("|") for line in output.splitlines()]
    by_kind: dict[str, list[str]] = {kind: [] for kind in ("pin", "down", "held", "apt", "dnf")}
    for kind, _, text in lines:
        by_kind.setdefault(kind, []).append(text)
    pins = dict(text.split("|", 1) for text in by_kind["pin"])
    if by_kind["dnf"]:
        return _from_dnf(pins, by_kind["dnf"])
    held = tuple(" ".join(by_kind["held"]).split())
    return _from_apt(pins, by_kind["apt"], set(" ".join(by_kind["down"]).split()), held)


def _transaction(
    pins: Mapping[str, str], found: Mapping[str, Mapping[str, str]], held: tuple[str, ...] = ()
) -> Transaction:
    return Transaction(
        pins=pins,
        installs=found["installs"],
        upgrades=found["upgrades"],
        downgrades=found["downgrades"],
        removals=found["removals"],
        held=held,
    )


def _from_apt(
    pins: Mapping[str, str], lines: list[str], lowered: set[str], held: tuple[str, ...]
) -> Transaction:
    """`Inst NAME [OLD] (NEW ORIGIN [ARCH])`, `Remv NAME [OLD]`."""
    found: dict[str, dict[str, str]] = {
        kind: {} for kind in ("installs", "upgrades", "downgrades", "removals")
    }
    for line in lines:
        match = re.match(r"(Inst|Remv) (\S+)(?: \[([^]]+)\])?(?: \((\S+))?", line)
        if match is None:
            continue
        verb, name, old, new = match.groups()
        if verb == "Remv":
            found["removals"][name] = old or ""
        elif name in lowered:
            found["downgrades"][name] = new
        else:
            found["upgrades" if old else "installs"][name] = new
    return _transaction(pins, found, held)


def _from_dnf(pins: Mapping[str, str], lines: list[str]) -> Transaction:
    """A table with a row `NAME ARCH VERSION REPOSITORY SIZE UNIT`, a long one over two lines."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in set(DNF_SECTIONS.values())}
    for kind, words in _dnf_rows(lines):
        found[kind][words[0]] = words[2]
    for name in {**found["installs"], **found["upgrades"], **found["downgrades"]}:
        found["removals"].pop(name, None)  # dnf 5 says of an upgrade, too, what it replaces
    return _transaction(pins, found)


def _dnf_rows(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    kind, begun = "", list[str]()
    for line in lines:
        if not line.startswith(" "):
            kind, begun = DNF_SECTIONS.get(line.strip(), ""), []
        elif kind and line.split()[:1] == ["replacing"]:
            words = line.split()[1:]  # it goes, since what comes takes its place
            if len(words) == 2:  # dnf 4: NAME.ARCH VERSION
                words = [words[0].rpartition(".")[0], "", words[1]]
            yield "removals", words
        elif kind:
            words = begun + line.split()
            begun = words if len(words) == 1 else []
            if len(words) >= 4:
                yield kind, words
