"""Before a bootstrap run connects: whose keys are these, and what does a new host let in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import click
from gevent.pool import Pool
from paramiko import PKey
from pydantic import ValidationError
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh_util import load_key_with_certificate

from roles.access.known_hosts import HostKey
from roles.access.place import BadFile, Place, be_strict, pin, place_of
from roles.access.scan import NotScanned, scan
from roles.access.secret import NoSecret, Secret, Secrets
from roles.access.spec import AccessSpec, SecretFile
from roles.access.verdict import ONLY_RSA, Verdict, listed, passed_over, proven, verdict
from roles.run.merge import DataError, merged_data
from roles.run.problems import Problem, Refused
from roles.run.wanted import problem_of

AT_ONCE = 20
ACCESS = "dockyard_first_access"

Scans = Mapping[Place, tuple[HostKey, ...] | NotScanned]


class NoAccess(PyinfraError):
    """The run can't start; the text has every problem."""


@dataclass(frozen=True)
class FirstAccess:
    """What a new host is logged in to with, each tried once."""

    spec: AccessSpec
    key: PKey | None = None
    password: Secret | None = None
    sudo_password: Secret | None = None


def prepare(state: State, has_terminal: bool) -> None:
    """Make sure whom the hosts of the limit are, and read the secrets of their first access.

    Keys that are not pinned are compared with the fingerprints that the data has, or shown and
    confirmed at the terminal, and pinned.

    Raises:
        NoAccess: a key has changed, or is not confirmed, or a secret can't be had. No credential
            was sent to any host but the bastions, whose keys were pinned.
    """
    hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
    secrets = Secrets(has_terminal)
    try:
        specs = _specs(hosts)
        keys = _keys(specs, has_terminal)
        _read_secrets(specs, secrets, prompts=False)
        _know(specs, has_terminal)
        found = _read_secrets(specs, secrets, prompts=True)
    except Refused as refused:
        raise NoAccess(f"no host was logged in to, and nothing was changed:\n{refused}") from None
    except BadFile as error:
        raise NoAccess(f"no host was logged in to, and nothing was changed: {error}") from None
    for host, spec in specs.items():
        password, sudo_password = found[host]
        host.connector_data[ACCESS] = FirstAccess(
            spec, keys.get(spec.key or ""), password, sudo_password
        )


def _specs(hosts: Iterable[Host]) -> dict[Host, AccessSpec]:
    specs: dict[Host, AccessSpec] = {}
    problems: list[Problem] = []
    for host in hosts:
        try:
            specs[host] = AccessSpec.model_validate(merged_data(host).get("access", {}))
        except DataError as error:
            problems.append(Problem(host.name, error.key, error.text))
        except ValidationError as error:
            for details in error.errors():
                told = problem_of(host.name, {**details}, AccessSpec)
                problems.append(Problem(told.host, f"access.{told.key}".strip("."), told.text))
    if problems:
        raise Refused(problems)
    return specs


def _keys(specs: Mapping[Host, AccessSpec], has_terminal: bool) -> dict[str, PKey]:
    """Load each private key once; one with a passphrase asks for it."""
    keys: dict[str, PKey] = {}
    problems: list[Problem] = []
    for host, spec in specs.items():
        if spec.key is None or spec.key in keys:
            continue
        try:
            keys[spec.key] = load_key_with_certificate(spec.key, allow_prompt=has_terminal)
        except (PyinfraError, OSError) as error:
            text = f"expected a private key that can be read, found {spec.key}: {error}"
            problems.append(Problem(host.name, "access.key", text))
    if problems:
        raise Refused(problems)
    return keys


def _read_secrets(
    specs: Mapping[Host, AccessSpec], secrets: Secrets, prompts: bool
) -> dict[Host, tuple[Secret | None, Secret | None]]:
    """Read files first, before any server is asked; what asks somebody, afterwards."""
    problems: list[Problem] = []
    found: dict[Host, tuple[Secret | None, Secret | None]] = {}
    for host, spec in specs.items():
        both: list[Secret | None] = []
        for key, what in (("password", "Password"), ("sudo_password", "Sudo's password")):
            source = getattr(spec, key)
            if not prompts and not isinstance(source, SecretFile):
                continue
            sharing = [
                h.name
                for h, s in specs.items()
                if s.user == spec.user and getattr(s, key) == source
            ]
            try:
                both.append(secrets.get(source, f"{what} of {spec.user} on {_few(sharing)}"))
            except NoSecret as error:
                problems.append(Problem(host.name, f"access.{key}", str(error)))
        if prompts and not problems:
            found[host] = (both[0], both[1])
    if problems:
        raise Refused(problems)
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} and {len(names) - 1} more hosts"


def _know(specs: Mapping[Host, AccessSpec], has_terminal: bool) -> None:
    """Have the key of every host, and of every bastion before it, pinned or told as a problem.

    A server that does not answer is left to its connection, which is strict: it tells, too.
    """
    wanted: dict[Place, list[tuple[str, str | None]]] = {}
    problems: list[Problem] = []
    for host, spec in specs.items():
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
        wanted.setdefault(place, []).append((host.name, spec.fingerprint))
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
        except click.Abort:
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
