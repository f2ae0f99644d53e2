"""Whose keys are these? Compare every host's with what is pinned or said, or have it confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from gevent.pool import Pool
from pyinfra.api import Host

from roles.access.known_hosts import HostKey
from roles.access.place import Place, be_strict, pin, place_of
from roles.access.scan import NotScanned, scan
from roles.access.verdict import ONLY_RSA, Verdict, listed, passed_over, proven, verdict
from roles.run.problems import Problem, Refused

AT_ONCE = 20

Scans = Mapping[Place, tuple[HostKey, ...] | NotScanned]


def know(fingerprints: Mapping[Host, str | None], has_terminal: bool) -> None:
    """Have the key of every host, and of every bastion before it, pinned or told as a problem.

    A server that does not answer is left to its connection, which is strict: it tells, too.

    Raises:
        Refused: a key has changed, is not the one of the fingerprint, or is not confirmed.
        BadFile: a known_hosts file can't be read or written.
    """
    wanted: dict[Place, list[tuple[str, str | None]]] = {}
    problems: list[Problem] = []
    for host, fingerprint in fingerprints.items():
        place = place_of(host)
        if place is None:
            continue
        be_strict(host)
        if place.open_hops:
            text = (
                f"is reached through {', '.join(place.open_hops)} by an ssh_config that does not "
                "say StrictHostKeyChecking yes there; say it, or name the bastions by `via`"
            )
            problems.append(Problem(host.name, "connection", text))
            continue
        for bastion in place.bastions:
            wanted.setdefault(bastion, [])
        wanted.setdefault(place, []).append((host.name, fingerprint))
    for depth in sorted({len(place.via) for place in wanted}):
        level = {place: whose for place, whose in wanted.items() if len(place.via) == depth}
        problems += _know_all(level, has_terminal)
        if problems:
            break
    if problems:
        raise Refused(problems)


def _know_all(
    places: Mapping[Place, list[tuple[str, str | None]]], has_terminal: bool
) -> list[Problem]:
    """Judge the servers that are as many bastions away; pin what is proven or confirmed."""
    scans = scanned(list(places))
    problems: list[Problem] = []
    to_confirm: dict[Place, tuple[str, tuple[HostKey, ...]]] = {}
    for place, whose in places.items():
        shown = scans[place]
        if isinstance(shown, NotScanned):
            continue
        for name, fingerprint in whose or [(f"bastion {place.address}", None)]:
            problem = _judged(place, name, shown, fingerprint)
            if problem:
                problems.append(problem)
            elif verdict(place.pins, shown) is Verdict.NEW:
                to_confirm[place] = name, shown
    if to_confirm and not problems:
        problems += _confirmed(to_confirm, has_terminal)
    return problems


def scanned(places: Sequence[Place]) -> Scans:
    def asked(place: Place) -> tuple[HostKey, ...] | NotScanned:
        try:
            return scan(place)
        except NotScanned as error:
            return error

    return dict(zip(places, Pool(AT_ONCE).map(asked, places), strict=True))


def _judged(
    place: Place, name: str, shown: tuple[HostKey, ...], fingerprint: str | None
) -> Problem | None:
    """Why a server is not the one that is meant; what a fingerprint proves is pinned."""
    found = verdict(place.pins, shown)
    if found is Verdict.CHANGED:
        return Problem(
            name,
            "host key",
            f"has changed: {place} shows {listed(shown)}; pinned in {place.known_hosts} is "
            f"{listed(place.pins)}. Somebody may be in between: compare it at the host's console; "
            "where it is right, `dockyard hostkeys rotate` or `forget`. No credential was sent",
        )
    if fingerprint is None:
        if passed_over(place.pins, shown):
            return Problem(
                name,
                "host key",
                f"what is pinned in {place.known_hosts} {ONLY_RSA}: {listed(shown)}. Compare one "
                f"of them, and pin it: {_trust(name)}",
            )
        return None
    key = proven(shown, fingerprint)
    if key is None:
        return Problem(
            name,
            "access.fingerprint",
            f"expected {fingerprint}; {place} shows {listed(shown)}. Compare both with what "
            "`ssh-keygen -lf` tells at the host's console. No credential was sent",
        )
    if passed_over([key, *place.pins], shown):
        text = f"{fingerprint} {ONLY_RSA}; say that of one of these: {listed(shown)}"
        return Problem(name, "access.fingerprint", text)
    if key not in place.pins:
        pin(place, [key])
    return None


def _confirmed(
    new: Mapping[Place, tuple[str, tuple[HostKey, ...]]], has_terminal: bool
) -> list[Problem]:
    """Show all keys that nobody has compared, ask once, and pin them."""
    if has_terminal:
        click.echo("These host keys are not pinned yet:", err=True)
        for place, (name, shown) in new.items():
            for key in shown:
                click.echo(f"  {name} ({place}): {key}", err=True)
        try:
            is_right = click.confirm(
                "Are they what `ssh-keygen -lf /etc/ssh/ssh_host_..._key.pub` tells at the hosts' "
                "consoles?",
                err=True,
            )
        except click.Abort:  # the input has ended; Ctrl-C ends the run
            is_right = False
        if is_right:
            for place, (_, shown) in new.items():
                pin(place, shown)
            return []
    why = "was not confirmed" if has_terminal else "is not pinned, and there is no terminal"
    return [
        Problem(
            name,
            "host key",
            f"{why}: {place} shows {listed(shown)}. Compare it at the host's console, then say "
            f"{_by_words(name)}",
        )
        for place, (name, shown) in new.items()
    ]


def _by_words(name: str) -> str:
    """How somebody who has no terminal here tells that a key is right."""
    if name.startswith("bastion "):
        return _trust(name)
    return f"access.fingerprint for it, or {_trust(name)}"


def _trust(name: str) -> str:
    return f"`dockyard hostkeys trust {name.removeprefix('bastion ')} --fingerprint SHA256:...`"
