"""The command `dockyard drift`. What it needs of pyinfra is imported only when it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roles.run.loading import quickly

if TYPE_CHECKING:
    from roles.drift.model import Report

ROOT = Path(__file__).parents[2]
FORMATS = ("table", "json", "prometheus")
INTERRUPTED = 130


@click.command()
@click.argument("inventory", required=False)
@click.option("--limit", multiple=True, metavar="HOST", help="Check this host or group alone.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the report to this file.")
@click.option("--fix", is_flag=True, help="Deploy to the hosts that differ, then check again.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask before --fix deploys.")
@click.option("--record", type=click.Path(file_okay=False), help="Keep the reports of many runs.")
@click.option("--keep", type=click.IntRange(1), default=500, show_default=True)
@click.option("--keep-days", type=click.IntRange(1), default=90, show_default=True)
@click.option("--textfile", type=click.Path(dir_okay=False), help="For Prometheus' collector.")
@click.option("--hook", type=click.Path(dir_okay=False), help="What to call when it has changed.")
@click.option("--data", multiple=True, metavar="KEY=VALUE", help="As pyinfra's own --data.")
@click.pass_obj
def drift(
    usual: str, /, inventory: str | None, form: str, out: str | None, fix: bool, **given: Any
) -> None:
    """Tell what on the hosts of INVENTORY is not as it is wanted; change nothing.

    Without INVENTORY, those that `dockyard -i` names.

    Exits with 0 where all is in sync, with 2 where something differs, with 3 where a host could not
    be checked and nothing differs elsewhere, with 1 where the data or the command is wrong, or the
    report could not be kept. docs/drift.md explains every kind of difference.

    --keep and --keep-days bound what --record keeps; --textfile and --hook need it, too.
    """
    from gevent import monkey

    monkey.patch_all()
    told = _Told(form, _absolute(out))
    history = {name: _absolute(given[name]) for name in ("record", "textfile", "hook")}
    if (history["textfile"] or history["hook"]) and not history["record"]:
        raise click.UsageError("--textfile and --hook need --record DIR: it knows what has changed")
    if fix and not given["yes"] and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on before --fix deploys; add -y")
    path, data = found_inventory(inventory or usual), read_data(given["data"])
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    with _as_errors(), _alone(history["record"]):
        with quickly():
            from roles.drift.process import check_inventory

        report = check_inventory(path, given["limit"], data, str(ROOT))
        if form == "table" or not (fix and report.drift):  # a program reads one report
            told(report)
        kept = {name: given[name] for name in ("keep", "keep_days")}
        problems = _keep(report, history, **kept, is_limited=bool(given["limit"]))
    for problem in problems:
        click.echo(f"dockyard drift: {problem}", err=True)
    if fix and report.drift:
        if not given["yes"]:
            click.confirm("Deploy to the hosts that differ?", abort=True, err=True)
        _mend(path, report, given["data"])
        _start_again()
    sys.exit(1 if problems else report.exit_code)


class _Told:
    """Where a report goes, and in which form."""

    def __init__(self, form: str, out: Path | None) -> None:
        self._form, self._out = form, out

    def __call__(self, report: Report) -> None:
        from roles.drift.report import console, summary, table
        from roles.run import whole_file

        if self._out:
            whole_file.write(self._out, self._text(report))
            click.echo(f"{summary(report)}; {self._out} tells them", err=True)
        elif self._form == "table":
            console().print(table(report))
        else:
            click.echo(self._text(report), nl=False)

    def _text(self, report: Report) -> str:
        from rich.console import Console

        from roles.drift.document import as_text, document
        from roles.drift.prometheus import prometheus
        from roles.drift.report import WIDTH, table

        if self._form == "json":
            return as_text(document(report))
        if self._form == "prometheus":
            return prometheus(report)
        page = Console(width=WIDTH, highlight=False, record=True, quiet=True)
        page.print(table(report))
        return page.export_text()


def _keep(
    report: Report, history: dict[str, Path | None], keep: int, keep_days: int, is_limited: bool
) -> tuple[str, ...]:
    """Keep the report, and tell who is to be told; return what could not be done."""
    from roles.drift.history import record

    directory, textfile, hook = (history[name] for name in ("record", "textfile", "hook"))
    if directory is None:
        return ()
    return record(report, directory, keep, keep_days, textfile, hook, is_limited).problems


def _mend(inventory: str, report: Report, data: Sequence[str]) -> None:
    """Deploy to the hosts that differ, as an ordinary rollout."""
    hosts = list(dict.fromkeys(found.host for found in report.drift if found.host))
    if not hosts:
        raise click.ClickException("what differs is on no host: no deploy mends it")
    words = [str(Path(sys.executable).with_name("pyinfra")), inventory, "deploy/soa.py", "-y"]
    words += [word for host in hosts for word in ("--limit", host)]
    words += [word for each in data for word in ("--data", each)]
    click.echo(f"dockyard drift: deploying to {', '.join(hosts)}", err=True)
    run = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if run.returncode:
        raise click.ClickException("the deploy failed, which says above why")


def _start_again() -> None:
    """Check anew: pyinfra keeps inventories and host keys as long as a process lives."""
    from roles.access.bastions import remove_written

    words = [word for word in sys.argv[1:] if word != "--fix"]
    os.chdir(_STARTED_IN)
    remove_written()
    os.execv(sys.executable, [sys.executable, "-m", "deploy.cli", *words])


_STARTED_IN = Path.cwd()


@contextmanager
def _as_errors() -> Iterator[None]:
    """Have what is wrong with data, use or place told in one way; Ctrl-C ends with 130."""
    from roles.drift.history import DriftError
    from roles.run.inventory import Unusable
    from roles.run.problems import Refused
    from roles.run.whole_file import Unwritable

    try:
        yield
    except Refused as refused:
        text = f"the data is wrong, and nothing was compared:\n{refused}"
        raise click.ClickException(text) from refused
    except (DriftError, Unusable, Unwritable) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("dockyard drift: interrupted; nothing was changed", err=True)
        sys.exit(INTERRUPTED)


def _alone(directory: Path | None) -> Any:
    from roles.drift.history import only_one

    return only_one(directory) if directory else nullcontext()


def _absolute(path: str | None) -> Path | None:
    return Path(path).absolute() if path else None


def found_inventory(inventory: str) -> str:
    """The inventory's absolute path, from where we are or from the project's folder."""
    for folder in (Path.cwd(), ROOT):
        if (folder / inventory).is_file():
            return str((folder / inventory).absolute())
    text = f"there is no inventory {inventory}; name a file such as inventories/prod.py"
    raise click.UsageError(text)


def read_data(given: Sequence[str], option: str = "--data") -> dict[str, Any]:
    """Read `KEY=VALUE` as pyinfra does."""
    from pyinfra_cli.util import parse_cli_arg

    found: dict[str, Any] = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign or not key:
            raise click.UsageError(f"{option} {each}: expected KEY=VALUE")
        found[key] = parse_cli_arg(value)
    return found
