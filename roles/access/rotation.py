"""Replace a host's pinned keys by new ones that are proven: by the old key, or a fingerprint."""

from __future__ import annotations

from collections.abc import Iterable

from paramiko import SSHException
from pyinfra.api import Host
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh import SSHConnector

from roles.access import known_hosts
from roles.access.known_hosts import HostKey
from roles.access.place import Place, be_strict, forget, pin, replace
from roles.access.verdict import ONLY_RSA, Verdict, listed, passed_over, proven, verdict

ASK_S = 20
FILES = "cat /etc/ssh/ssh_host_*_key.pub"


class NotProven(Exception):
    """Nothing proves that a key is the host's; the text says what would. Nothing was changed."""


def stale(pins: Iterable[HostKey], shown: Iterable[HostKey]) -> tuple[HostKey, ...]:
    """Return the pins of a type of which the host shows another key, pinned too: they are old.

    paramiko compares with the first pin of a type alone.
    """
    pinned, now = list(pins), set(shown)
    replaced = {key.type for key in pinned if key in now}
    return tuple(key for key in pinned if key.type in replaced and key not in now)


def rotate_by_fingerprint(place: Place, shown: tuple[HostKey, ...], fingerprint: str) -> HostKey:
    """Pin the one key that has the fingerprint, and forget all others of that place.

    Raises:
        NotProven: it shows none with that fingerprint.
    """
    key = proven(shown, fingerprint)
    if key is None:
        raise NotProven(f"expected {fingerprint}, found {listed(shown)}; nothing was changed")
    if passed_over([key], shown):
        raise NotProven(f"{fingerprint} {ONLY_RSA}; give that of one of {listed(shown)}")
    replace(place, [key])
    return key


def rotate(host: Host, place: Place, shown: tuple[HostKey, ...]) -> str:
    """Learn a host's new keys from itself, over a login that the old key proves; or drop the old.

    Returns what was done. New keys, which lie beside the old ones there, are pinned behind them;
    the old go when the host shows the new ones: run it before and after they change places.

    Raises:
        NotProven: the host shows no key that is pinned, or can't be logged in to.
    """
    pins = place.pins
    if gone := stale(pins, shown):
        forget(place, gone)
        return f"shows the new keys; no more pinned: {listed(gone)}"
    found = verdict(pins, shown)
    if found is Verdict.NEW:
        raise NotProven("nothing is pinned, so nothing proves a new key; `dockyard hostkeys trust`")
    if found is Verdict.CHANGED:
        raise NotProven(
            f"shows {listed(shown)}, and not what is pinned, {listed(pins)}: nothing proves the "
            "new key. Compare it at the host's console, and give it by --fingerprint"
        )
    new = [key for key in _own_keys(host) if key not in pins]
    if not new:
        return "has no other keys than those that are pinned; nothing to do"
    pin(place, new)
    types = {key.type for key in pins}
    if any(key.type in types for key in new):
        return (
            f"pinned behind the old: {listed(new)}. Put it in the old one's place there, and run "
            "this again: in between, connections are refused"
        )
    return f"pinned: {listed(new)}"


def _own_keys(host: Host) -> list[HostKey]:
    """Read the host's public keys over its ordinary login, whose own key must be pinned."""
    assert isinstance(host.connector, SSHConnector)
    be_strict(host)
    try:
        host.connector.connect()
        client = host.connector.client
        assert client
        try:
            _, printed, _ = client.exec_command(FILES, timeout=ASK_S)
            lines = printed.read().decode(errors="replace").splitlines()
        finally:
            client.close()
    except (PyinfraError, SSHException, OSError, EOFError) as error:
        raise NotProven(
            f"can't be logged in to, so nothing proves a new key: {error}; mend that, or give "
            "--fingerprint"
        ) from error
    keys = [key for line in lines if (key := known_hosts.host_key(line))]
    if not keys:
        raise NotProven(f"`{FILES}` told no key there; give --fingerprint")
    return keys
