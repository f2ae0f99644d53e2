"""The command `dockyard bootstrap`: list a new host, then run deploy/bootstrap.py for it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roles.access.hostkeys_command import fingerprint_option
from roles.run.command_line import (
    INTERRUPTED,
    ROOT,
    confirmed,
    found_inventory,
    pyinfra,
    read_data,
    run_pyinfra,
)

if TYPE_CHECKING:
    from inventories.host_list import HostEntry

DEPLOY = "deploy/bootstrap.py"


@click.command()
@click.argument("address")
@click.option("--name", required=True, help="What the fleet calls it.")
@click.option("--groups", required=True, help="Which parts it runs: engine,proxy,registry,sdk.")
@click.option(
    "--list",
    "host_list",
    type=click.Path(dir_okay=False),
    help="The YAML file of the inventory's hosts; by default beside it, such as prod.yaml.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Of SSH, where it is not 22.")
@click.option("--via", multiple=True, metavar="[USER@]BASTION", help="On the way; in order.")
@click.option("--set", "data", multiple=True, metavar="KEY=VALUE", help="Data of this host.")
@click.option("--user", help="Who is let in at first; root, where nobody is named.")
@click.option("--key", type=click.Path(dir_okay=False), help="The first private key.")
@click.option("--password", is_flag=True, help="Ask for the first password.")
@click.option("--password-file", type=click.Path(), help="It is the one line of this 0600 file.")
@click.option("--password-command", metavar="COMMAND", help="It is what this prints.")
@click.option("--sudo-password", is_flag=True, help="Ask for what sudo wants of that user.")
@click.option("--sudo-password-file", type=click.Path(), help="It is in this 0600 file.")
@click.option("--sudo-password-command", metavar="COMMAND", help="It is what this prints.")
@fingerprint_option
@click.option("-y", "--yes", is_flag=True, help="Ask nothing but what only a person can tell.")
@click.pass_obj
def bootstrap(
    usual: str,
    /,
    address: str,
    name: str,
    groups: str,
    host_list: str | None,
    port: int | None,
    via: tuple[str, ...],
    data: tuple[str, ...],
    yes: bool,
    **given: Any,
) -> None:
    """Take the new host at ADDRESS into the fleet, in one command.

    Adds it to the host list, shown as a diff first, and runs deploy/bootstrap.py for it. A host
    that is listed so already goes on where it was left.

    \b
    A root password, which is asked for; the key is shown, to be confirmed:
      dockyard bootstrap 198.51.100.14 --name app-4 --groups engine,proxy --password
    A cloud's user and first key, a key that somebody read at the console, a bastion:
      dockyard bootstrap 198.51.100.15 --name app-5 --groups engine,proxy --user debian \\
        --key ~/.ssh/first --fingerprint SHA256:... --via ops@bastion.example

    No password is ever an argument. The first access is used only where the login that the
    inventory says does not work yet.
    """
    from gevent import monkey

    monkey.patch_all()
    access = _access(given)
    inventory = found_inventory(usual)
    path = Path(host_list).absolute() if host_list else Path(inventory).with_suffix(".yaml")
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    wanted: dict[str, Any] = {"groups": [group for group in groups.split(",") if group]}
    if address != name:
        wanted["address"] = address
    if port not in (None, 22):
        wanted["port"] = port
    if via:
        wanted["via"] = list(via)
    if data:
        wanted["data"] = nested(read_data(data, "--set"))
    _list(path, inventory, name, wanted, yes)
    sys.exit(_run(inventory, path, name, access, yes))


def _access(given: dict[str, Any]) -> dict[str, Any]:
    """Return the first access as --data, after a look at every file that it names."""
    access: dict[str, Any] = {}
    if given["user"]:
        access["access.user"] = given["user"]
    if given["fingerprint"]:
        access["access.fingerprint"] = given["fingerprint"]
    if given["key"]:
        access["access.key"] = _key(given["key"])
    for what in ("password", "sudo_password"):
        source = _source(what, given)
        if source is not None:
            access[f"access.{what}"] = source
    return access


def _key(path: str) -> str:
    file = Path(path).expanduser().absolute()
    try:
        is_key = b"PRIVATE KEY" in file.read_bytes()[:200]
    except OSError as error:
        raise click.UsageError(f"--key {path}: {error.strerror}") from error
    if not is_key:
        raise click.UsageError(f"--key {path}: expected a private key, found something else")
    return str(file)


def _source(what: str, given: dict[str, Any]) -> str | dict[str, str] | None:
    from roles.access.secret import NoSecret, from_file

    option = f"--{what.replace('_', '-')}"
    asked, file, command = given[what], given[f"{what}_file"], given[f"{what}_command"]
    if sum(map(bool, (asked, file, command))) > 1:
        raise click.UsageError(f"{option}, {option}-file and {option}-command: say one of them")
    if asked:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{option}: there is no terminal to ask on; {option}-file")
        return "prompt"
    if command:
        return {"command": command}
    if not file:
        return None
    try:
        from_file(file)
    except NoSecret as error:
        raise click.UsageError(f"{option}-file {error}") from error
    return {"file": str(Path(file).expanduser().absolute())}


def nested(data: dict[str, Any]) -> dict[str, Any]:
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        *parents, last = key.split(".")
        into = found
        for parent in parents:
            into = into.setdefault(parent, {})
            if not isinstance(into, dict):
                raise click.UsageError(f"--set {key}: {parent} is said twice, and is no dict")
        into[last] = value
    return found


def _list(path: Path, inventory: str, name: str, wanted: dict[str, Any], yes: bool) -> None:
    """Add the host to the list, when all is right and somebody has seen it."""
    from inventories import host_list, list_edit
    from roles.run import whole_file

    try:
        before = path.read_bytes().decode()
        entry = host_list.entry(name, wanted)
        _check_data(name, entry)
        listed = host_list.parsed(before)
        _check_inventory(inventory, path, name, listed)
        if listed.get(name) == entry:
            click.echo(f"{name} is listed in {_short(path)} already", err=True)
            return
        after = list_edit.added(before, name, entry)
        click.echo(_diff(path, before, after), err=True, nl=False)
        if not yes:
            if not sys.stdin.isatty():
                text = "there is no terminal to ask on before the list is written; add -y"
                raise click.UsageError(text)
            if not confirmed(f"Write {_short(path)}, and take {name} in?"):
                raise click.Abort
        if path.read_bytes().decode() != before:
            raise host_list.ListError("was changed meanwhile; run again")
        whole_file.write(path, after)
    except OSError as error:
        raise click.ClickException(f"{_short(path)}: {error.strerror}; --list names it") from error
    except (host_list.ListError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{_short(path)}: {error}") from error
    except whole_file.Unwritable as error:
        raise click.ClickException(str(error)) from error


def _check_data(name: str, entry: HostEntry) -> None:
    """Refuse data that the deploy would refuse, before it is written."""
    from pydantic import ValidationError

    from roles.run.wanted import PYINFRA_KEYS, Wanted, problem_of

    try:
        Wanted.model_validate({k: v for k, v in entry.data.items() if k not in PYINFRA_KEYS})
    except ValidationError as error:
        wrong = [d for d in error.errors() if d["type"] != "missing"]  # group_data has the rest
        if wrong:
            told = "\n".join(str(problem_of(name, {**details}, Wanted)) for details in wrong)
            raise click.ClickException(told) from None


def _check_inventory(inventory: str, path: Path, name: str, listed: Iterable[str]) -> None:
    """Refuse a list that the inventory does not read: the new host would not be found there.

    And a name by which other hosts would be found.
    """
    from roles.run.inventory import Unusable, loaded

    try:
        with loaded(inventory, str(ROOT)) as state:
            known = {host.name for host in state.inventory}
            groups = {*state.inventory.groups, *state.inventory.group_data}
    except Unusable as error:
        raise click.ClickException(str(error)) from error
    listed = set(listed)
    if listed - known or (known and not listed):
        raise click.ClickException(
            f"{inventory} does not read {_short(path)}; name the list that it reads by --list"
        )
    if name in groups:
        raise click.ClickException(
            f"{name}: is a group of {inventory}, by which --limit means all its hosts; choose "
            "another name"
        )
    if name in known - listed:
        raise click.ClickException(f"{name}: is in {inventory} already, from another place")


def _diff(path: Path, before: str, after: str) -> str:
    lines = unified_diff(
        before.splitlines(), after.splitlines(), _short(path), _short(path), lineterm=""
    )
    colours = {"+": "green", "-": "red"}
    return "".join(click.style(line, fg=colours.get(line[:1])) + "\n" for line in lines)


def _run(inventory: str, path: Path, name: str, access: dict[str, Any], yes: bool) -> int:
    words = [inventory, DEPLOY, "--limit", name, *(["-y"] if yes else [])]
    for key, value in access.items():
        words += ["--data", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    exit_code = run_pyinfra(*words)
    if exit_code:
        go_on = "Mend what is told above (in that list, where the address was wrong), and go on"
        if exit_code == INTERRUPTED:
            go_on = "Go on"
        click.echo(
            f"dockyard bootstrap: {name} stays listed in {_short(path)}: deploys of all hosts want "
            f"it, too. {go_on} with the same command, or:\n    {shlex.join(pyinfra(*words))}\n"
            f"To take it back: dockyard hostkeys forget {name}, then delete its lines there.",
            err=True,
        )
    return exit_code


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
