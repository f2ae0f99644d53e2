"""The command `dockyard`: what an operator types by hand, most of it a deploy file beside this."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import click

from roles.access.bootstrap_command import bootstrap
from roles.access.hostkeys_command import hostkeys
from roles.drift.command import drift
from roles.run import one_host
from roles.run.command_line import ROOT, pyinfra

click.UsageError.exit_code = 1
"""2 is what `drift` and `hostkeys scan` tell of what differs."""

INVENTORY = "inventories/prod.py"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-i",
    "--inventory",
    envvar="DOCKYARD_INVENTORY",
    default=INVENTORY,
    show_default=True,
    help="The hosts; also by DOCKYARD_INVENTORY.",
)
@click.pass_context
def main(context: click.Context, inventory: str) -> None:
    """Look after a fleet that Dockyard has deployed.

    Deploys themselves are pyinfra's: pyinfra INVENTORY deploy/soa.py
    """
    context.obj = inventory


@main.command()
@click.argument("host")
@click.option("--reason", required=True, help="Why; shown by every deploy that leaves it out.")
@click.option("--for", "duration", default="1h", show_default=True, help="90s, 30m, 2h, 1d.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def drain(inventory: str, host: str, reason: str, duration: str, yes: bool) -> None:
    """Send HOST away for a while: nobody calls it, and it comes back by itself."""
    asked = {"drain.reason": reason, "drain.duration": duration}
    run_for(inventory, "drain.py", host, asked, *(["-y"] if yes else []))


@main.command()
@click.argument("host")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def undrain(inventory: str, host: str, yes: bool) -> None:
    """Have HOST back before its time; returns when it is called again."""
    run_for(inventory, "undrain.py", host, {}, *(["-y"] if yes else []))


@main.command()
@click.argument("host")
@click.option(
    "--list",
    "host_list",
    type=click.Path(exists=True, dir_okay=False),
    help="The YAML file that lists it; by default the one beside the inventory.",
)
@click.option("--purge", is_flag=True, help="Remove its data and logs, too.")
@click.option("--dry", is_flag=True, help="Only tell what would be done.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def retire(
    inventory: str, host: str, host_list: str | None, purge: bool, dry: bool, yes: bool
) -> None:
    """Have HOST leave the fleet for good: called no more, emptied, and listed no more."""
    asked: dict[str, object] = {"purge": True} if purge else {}
    if host_list:
        asked["host_list"] = str(Path(host_list).absolute())
    options = {"--dry": dry, "-y": yes}
    run_for(inventory, "retire.py", host, asked, *(name for name, said in options.items() if said))


@main.command()
@click.option("--host", help="This one alone.")
@click.pass_obj
def status(inventory: str, host: str | None) -> None:
    """Tell who runs what, since when, and which hosts are drained."""
    run(inventory, "status.py", host, {})


@main.command()
@click.argument("part", type=click.Choice(["registry", "engine", "proxy", "sdk"]))
@click.option("--host", help="This one alone.")
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "--tail", default=100, show_default=True, help="Lines of each host.")
@click.pass_obj
def logs(inventory: str, part: str, host: str | None, follow: bool, tail: int) -> None:
    """Show what PART prints, each line after its host's name."""
    asked = {"logs.part": part, "logs.follow": follow, "logs.tail": tail}
    run(inventory, "logs.py", host, asked)


main.add_command(bootstrap)
main.add_command(drift)
main.add_command(hostkeys)


def run_for(
    inventory: str, deploy: str, host: str, data: Mapping[str, object], *options: str
) -> None:
    """Become pyinfra for the one host of that name, which is refused where it means others."""
    os.environ[one_host.VARIABLE] = host
    run(inventory, deploy, host, data, *options)


def run(
    inventory: str, deploy: str, host: str | None, data: Mapping[str, object], *options: str
) -> None:
    """Become pyinfra, in Dockyard's own folder; an inventory's path is taken from where we are."""
    path = Path(inventory)
    given = str(path.absolute()) if path.exists() else inventory
    words = pyinfra(given, f"deploy/{deploy}")
    words += ["--limit", host] if host else []
    for key, value in data.items():
        words += ["--data", f"{key}={json.dumps(value)}"]
    os.chdir(ROOT)
    os.execv(words[0], [*words, *options])


if __name__ == "__main__":
    main()
