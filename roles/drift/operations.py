"""What the account of the scheduled check has in its home.

All of it is made with the account's own rights: root follows no link that the account has laid.
"""

from __future__ import annotations

import re
from collections.abc import Generator

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, QuoteString, State, StringCommand, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.facts.files import File, Sha256File

from roles.drift.schedule import Files
from roles.observed import channel

PROBE = r"sudo -n /usr/local/sbin/dockyard-probe \"$SSH_ORIGINAL_COMMAND\""
OPTIONS = f'restrict,port-forwarding,command="{PROBE}"'
"""What stands before the key on a host (docs/drift.md): the probe, and a way to the registry."""
READ_S = 20

_IDENTITY = """\
set -e
umask 077
cd "$1"
mkdir -p .ssh
[ -e .ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -C "$2@$(uname -n)" -f .ssh/id_ed25519
[ -e .ssh/id_ed25519.pub ] || ssh-keygen -y -f .ssh/id_ed25519 >.ssh/id_ed25519.pub"""

_KNOWN_HOSTS = """\
set -e
umask 077
cd "$1"
mkdir -p .ssh
cat >.ssh/known_hosts.new
mv .ssh/known_hosts.new .ssh/known_hosts"""

_PUBLIC_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+( [A-Za-z0-9@._-]+)?")


def as_account(account: str, *words: str) -> StringCommand:
    """A command with the rights of an account, which has no shell to log in with."""
    name = QuoteString(account)
    return StringCommand(
        StringCommand("setpriv --reuid=", name, _separator=""),
        StringCommand('--regid="$(id -g ', name, ')"', _separator=""),
        "--init-groups",
        "--",
        *map(QuoteString, words),
    )


@operation()
def identity(user: str, home: str) -> Generator[PyinfraCommand, None, None]:
    """Give the account an SSH key, once: one that is there stays, whatever it is."""
    files = Files(home)
    if all(host.get_fact(File, path=path) for path in (files.key, files.public_key)):
        host.noop(f"{files.key} is there")
        return
    yield as_account(user, "sh", "-c", _IDENTITY, "identity", home, user)


@operation()
def known_hosts(user: str, home: str, source: str | None) -> Generator[PyinfraCommand, None, None]:
    """Have the account know the hosts that a file on this machine names, and no other.

    Without a `source`, what is there stays; where there is nothing, the account knows no host.
    """
    path = Files(home).known_hosts
    has = host.get_fact(Sha256File, path=path)
    if has and (source is None or has == host.get_fact(Sha256File, path=source)):
        host.noop(f"{path} is as it should be")
        return
    write = as_account(user, "sh", "-c", _KNOWN_HOSTS, "known_hosts", home)
    yield StringCommand(write, "<", QuoteString(source or "/dev/null"))


@operation()
def told(user: str, home: str) -> Generator[PyinfraCommand, None, None]:
    """Tell the account's public key; to be called where it has just been made."""
    yield FunctionCommand(tell, (user, home), {})


def tell(state: State, host: Host, user: str, home: str) -> bool:
    """Say what line every host needs, so that the account is let in there."""
    words = as_account(user, "cat", Files(home).public_key).get_raw_value()
    found = channel.run(state, host, words, timeout_s=READ_S, called="reading the public key")
    if not _PUBLIC_KEY.fullmatch(found.text):
        logger.error(f"{Files(home).public_key} is no ed25519 key; remove it, run again")
        return False
    logger.info("--> The line for the authorized_keys of each host:")
    logger.info(f"{OPTIONS} {found.text}")
    logger.info("Whose authorized_keys that is, and what the key may do there: docs/drift.md")
    return True
