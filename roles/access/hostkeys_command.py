"""The command `dockyard hostkeys`. What it needs of pyinfra is imported only when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from roles.run.command_line import ROOT, confirmed, found_inventory

if TYPE_CHECKING:
    from pyinfra.api import State

    from roles.access.known_hosts import HostKey
    from roles.access.place import Place

DIFFERS, UNKNOWN = 2, 3


def _is_fingerprint(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    from roles.access.spec import FINGERPRINT

    if value is not None and not FINGERPRINT.fullmatch(value):
        raise click.BadParameter(
            "expected it as `ssh-keygen -lf` shows it, 'SHA256:' and 43 signs", context, parameter
        )
    return value


fingerprint_option = click.option(
    "--fingerprint",
    metavar="SHA256:...",
    callback=_is_fingerprint,
    help="Of the host's key, as `ssh-keygen -lf` shows it at the host's console.",
)


@click.group()
def hostkeys() -> None:
    """Look after the host keys that are pinned: whom we talk to.

    HOST is a host of the inventory (dockyard -i), or the address of a bastion that one is behind.

    \b
    dockyard hostkeys scan                    what all show now, beside what is pinned
    dockyard hostkeys trust app-4 --fingerprint SHA256:...
    """
    from gevent import monkey

    monkey.patch_all()


@hostkeys.command("list")
@click.argument("names", metavar="[HOST]...", nargs=-1)
@click.pass_obj
def list_(inventory: str, names: tuple[str, ...]) -> None:
    """Show the fingerprints that are pinned, or "none"."""
    with _loaded(inventory) as state:
        for name, place in _chosen(state, names).items():
            for key in place.pins or ("none",):
                click.echo(f"{name}: {key}")


@hostkeys.command()
@click.argument("names", metavar="[HOST]...", nargs=-1)
@click.pass_obj
def scan(inventory: str, names: tuple[str, ...]) -> None:
    """Show what hosts show now, beside what is pinned; trusts nothing.

    Exits with 0 where all is known, with 2 where a key differs or is not pinned, with 3 where a
    host could not be asked and nothing differs elsewhere.
    """
    from roles.access.identity import scanned
    from roles.access.scan import NotScanned
    from roles.access.verdict import Verdict, listed, verdict

    codes = {0}
    with _loaded(inventory) as state:
        places = _chosen(state, names)
        scans = scanned(list(dict.fromkeys(places.values())))
        for name, place in places.items():
            shown = scans[place]
            if isinstance(shown, NotScanned):
                codes.add(UNKNOWN)
                click.echo(f"{name}: could not be asked: {shown}")
                continue
            found = verdict(place.pins, shown)
            if found is not Verdict.KNOWN:
                codes.add(DIFFERS)
            pinned = "" if found is Verdict.NEW else f"; pinned {listed(place.pins)}"
            click.echo(f"{name}: {found.value}: shows {listed(shown)}{pinned}")
    sys.exit(DIFFERS if DIFFERS in codes else max(codes))


@hostkeys.command()
@click.argument("name", metavar="HOST")
@fingerprint_option
@click.pass_obj
def trust(inventory: str, name: str, fingerprint: str | None) -> None:
    """Pin the key of HOST: the one with --fingerprint, or what is shown and confirmed."""
    from roles.access.place import pin
    from roles.access.verdict import ONLY_RSA, Verdict, listed, passed_over, proven, verdict

    with _loaded(inventory) as state:
        place = _chosen(state, (name,))[name]
        shown = _shown(name, place)
        found = verdict(place.pins, shown)
        if found is Verdict.CHANGED:
            raise click.ClickException(
                f"{name}: {place} shows {listed(shown)}; pinned is {listed(place.pins)}. Compare "
                f"it at the host's console; `dockyard hostkeys rotate {name}` replaces a pin"
            )
        if fingerprint:
            key = proven(shown, fingerprint)
            if not key:
                raise click.ClickException(
                    f"{name}: expected {fingerprint}, {place} shows {listed(shown)}; nothing was "
                    "pinned"
                )
            if passed_over([key, *place.pins], shown):
                raise click.ClickException(
                    f"{name}: {fingerprint} {ONLY_RSA}; give that of one of {listed(shown)}"
                )
            keys: tuple[HostKey, ...] = (key,)
        elif found is Verdict.KNOWN:
            click.echo(f"{name}: is pinned already: {listed(place.pins)}")
            return
        else:
            keys = _confirmed(name, shown)
        pin(place, keys)
        click.echo(f"{name}: pinned {listed(keys)}")


@hostkeys.command()
@click.argument("name", metavar="HOST")
@fingerprint_option
@click.pass_obj
def rotate(inventory: str, name: str, fingerprint: str | None) -> None:
    """Replace the pinned keys of HOST by its new ones.

    A new key counts only where the old one vouches for it: it is read over a login whose key is the
    pinned one. So make it beside the old one, such as /etc/ssh/ssh_host_new_ed25519_key, run this,
    move both its files over the old ones (sshd reads them at each connection), and run it again.
    Where the old key is gone, --fingerprint says the new one.
    """
    from roles.access.inventory import host_named
    from roles.access.rotation import NotProven, rotate_by_fingerprint
    from roles.access.rotation import rotate as rotate_keys

    with _loaded(inventory) as state:
        place = _chosen(state, (name,))[name]
        shown = _shown(name, place)
        try:
            if fingerprint:
                key = rotate_by_fingerprint(place, shown, fingerprint)
                click.echo(f"{name}: pinned {key}, and nothing else")
                return
            host = host_named(state, name)
            if host is None:
                raise NotProven("is a bastion, which is not logged in to for it; --fingerprint")
            click.echo(f"{name}: {rotate_keys(host, place, shown)}")
        except NotProven as error:
            raise click.ClickException(f"{name}: {error}") from error


@hostkeys.command()
@click.argument("name", metavar="HOST")
@click.pass_obj
def forget(inventory: str, name: str) -> None:
    """Remove all pinned keys of HOST: its connections are refused until a key is pinned again."""
    from roles.access.place import forget as forget_keys
    from roles.access.verdict import listed

    with _loaded(inventory) as state:
        place = _chosen(state, (name,))[name]
        gone = place.pins
        forget_keys(place)
        click.echo(f"{name}: no more pinned: {listed(gone)}")


@contextmanager
def _loaded(inventory: str) -> Iterator[State]:
    path = found_inventory(inventory)
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    from roles.access.place import BadFile
    from roles.run.inventory import Unusable, loaded

    try:
        with loaded(path, str(ROOT)) as state:
            yield state
    except (BadFile, Unusable) as error:
        raise click.ClickException(str(error)) from error


def _chosen(state: State, names: tuple[str, ...]) -> dict[str, Place]:
    from roles.access.inventory import chosen

    return chosen(state, names)


def _shown(name: str, place: Place) -> tuple[HostKey, ...]:
    from roles.access.scan import NotScanned
    from roles.access.scan import scan as scan_keys

    try:
        return scan_keys(place)
    except NotScanned as error:
        raise click.ClickException(f"{name}: could not be asked for its key: {error}") from error


def _confirmed(name: str, shown: tuple[HostKey, ...]) -> tuple[HostKey, ...]:
    for key in shown:
        click.echo(f"{name}: {key}", err=True)
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"{name}: there is no terminal to confirm on; compare the key at the host's console, "
            "and give it by --fingerprint"
        )
    if not confirmed("Is that what the host's console tells?"):
        raise click.Abort
    return shown
