"""The command `dockyard drift`. It imports pyinfra only when it runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
FORMATS = ("table", "json", "prometheus")


@click.command()
@click.argument("inventory")
@click.option("--limit", multiple=True, metavar="HOST", help="Check this host or group alone.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the report there.")
@click.option("--fix", is_flag=True, help="Deploy to the hosts that differ, then check again.")
@click.option("--record", type=click.Path(file_okay=False), help="Keep the reports of many runs.")
@click.option("--keep", default=500, show_default=True, help="How many reports to keep.")
@click.option("--keep-days", default=90, show_default=True, help="How long to keep reports.")
@click.option("--textfile", type=click.Path(dir_okay=False), help="For Prometheus' collector.")
@click.option("--hook", type=click.Path(), help="A program to call when the state has changed.")
@click.option("--data", multiple=True, metavar="KEY=VALUE", help="As pyinfra's own --data.")
def drift(
    inventory: str,
    limit: tuple[str, ...],
    form: str,
    out: str | None,
    fix: bool,
    record: str | None,
    keep: int,
    keep_days: int,
    textfile: str | None,
    hook: str | None,
    data: tuple[str, ...],
) -> None:
    """Tell what on the hosts of INVENTORY is not as it is wanted; change nothing.

    Exits with 0 where all is in sync, with 2 where something differs, with 3 where a host could not
    be checked and nothing differs elsewhere, with 1 where the data or the command is wrong.
    docs/drift.md explains every kind of difference.
    """
    from gevent import monkey

    monkey.patch_all()
    from roles.drift.process import Unusable, check_inventory
    from roles.run.problems import Refused

    given = _read(data)
    path = _found(inventory)
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    try:
        report = check_inventory(path, limit, given, str(ROOT))
    except Unusable as error:
        raise click.ClickException(str(error)) from error
    except Refused as refused:
        raise click.ClickException(
            f"the data is wrong, and nothing was compared:\n{refused}"
        ) from None
    print(report)
    sys.exit(report.exit_code)


def _found(inventory: str) -> str:
    """The inventory's absolute path, from where we are or from the project's folder."""
    for folder in (Path.cwd(), ROOT):
        if (folder / inventory).is_file():
            return str((folder / inventory).absolute())
    raise click.UsageError(
        f"there is no inventory {inventory}; name a file such as inventories/prod.py"
    )


def _read(given: Sequence[str]) -> dict[str, Any]:
    """Read `KEY=VALUE`, the value as JSON where it is such, as pyinfra does."""
    found: dict[str, Any] = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign or not key:
            raise click.UsageError(f"--data {each}: expected KEY=VALUE")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found
