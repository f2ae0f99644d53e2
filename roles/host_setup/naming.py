"""What a host is called, and what its own name leads to. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import pairwise

from roles.host_setup.change import BEGIN, END, ROLE, SetupChange, change, unended
from roles.host_setup.commands import place, script
from roles.host_setup.spec import is_host_name
from roles.observed.setup import MOST_BYTES
from roles.run.changes import Gap
from roles.run.fleet import Member
from roles.run.problems import Problem

HOSTS = "/etc/hosts"


def wanted_name(member: Member) -> str | None:
    name = member.wanted.host_setup.name
    return member.name if name is True else name


def problems(member: Member) -> Iterator[Problem]:
    name, key = wanted_name(member), f"{ROLE}.name"
    if name is None:
        return
    if not is_host_name(name):
        text = f"the inventory's name '{name}' is no host name; give the host one of its own there"
        yield Problem(member.name, key, text)
    hosts = member.observed.setup.hosts
    if len(hosts) >= MOST_BYTES or "\N{REPLACEMENT CHARACTER}" in hosts:
        text = f"{HOSTS} there is longer than {MOST_BYTES} bytes, or not UTF-8; mend it"
        yield Problem(member.name, key, text)
    elif _is_unended(hosts):
        yield Problem(member.name, key, unended(HOSTS))


def changes(member: Member) -> Iterator[SetupChange]:
    name = wanted_name(member)
    if name is None or not is_host_name(name):
        return
    setup, running = member.observed.setup, member.observed.fitness.name
    gaps = [
        Gap(what, name, found or "absent")
        for what, found in (("host name", running), ("/etc/hostname", setup.static_name))
        if found != name
    ]
    yield from change(member, f"name the host {name}", gaps, script("name", name))
    address = str(
        member.own_address
    )  # where a router translates, the exported one is nobody's here
    wanted = edited(setup.hosts, name, address)
    if wanted != setup.hosts:
        gap = Gap(f"{HOSTS} {name}", address, _led_to(setup.hosts, name))
        step = place(HOSTS, wanted.encode())
        yield from change(member, f"lead {name} to {address} by {HOSTS}", [gap], step)


def edited(text: str, name: str, address: str) -> str:
    """The text of /etc/hosts in which a name leads to an address, by a block of ours.

    All else stays, but that no loopback address, and none of the same family, has the name.
    """
    names = [name, name.partition(".")[0]]
    kept, is_ours = [], False
    for line in text.splitlines():
        if line == BEGIN:
            is_ours = True
        if not is_ours:
            kept += _without(line, names, address)
        if line == END:
            is_ours = False
    block = [BEGIN, f"{address} {' '.join(dict.fromkeys(names))}", END]
    return "".join(f"{line}\n" for line in (*kept, *block))


def _is_unended(text: str) -> bool:
    """Whether a block of ours begins and does not end before another, or before the text does."""
    marks = [line for line in text.splitlines() if line in (BEGIN, END)]
    return any(mark == BEGIN and after != END for mark, after in pairwise([*marks, ""]))


def _without(line: str, names: list[str], address: str) -> list[str]:
    """A line without these names; none where nothing is left of it."""
    told, sign, comment = line.partition("#")
    words = told.split()
    if not words or not _gives_way(words[0], address) or not {*names} & {*words[1:]}:
        return [line]
    left = [word for word in words[1:] if word not in names]
    if left:
        return [" ".join((words[0], *left)) + (f" {sign}{comment}" if sign else "")]
    return [f"{sign}{comment}"] if sign else []


def _gives_way(found: str, address: str) -> bool:
    try:
        ip = ipaddress.ip_address(found.partition("%")[0])
    except ValueError:
        return False
    return ip.is_loopback or ip.version == ipaddress.ip_address(address).version


def _led_to(text: str, name: str) -> str:
    """The addresses that a text of /etc/hosts tells of a name."""
    told = [line.partition("#")[0].split() for line in text.splitlines()]
    return ", ".join(words[0] for words in told if name in words[1:]) or "absent"
