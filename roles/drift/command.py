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

from roles.run.command_line import (
    INTERRUPTED,
    ROOT,
    confirmed,
    found_inventory,
    read_data,
    run_pyinfra,
)
from roles.run.loading import quickly

if TYPE_CHECKING:
    from roles.drift.model import Report

FORMATS = ("table", "json", "prometheus")


@click.command()
@click.argument("inventory", required=False)
@click.option("--limit", multiple=True, metavar="HOST", help="Check this host or group alone.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the report to this file.")
@click.option("--fix", is_flag=True, help="Deploy to the hosts that differ, then check again.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask before --fix deploys.")
@click.option("--record", type=click.Path(file_okay=False), help="Keep the reports of many runs.")
@click.option("--keep", type=click.IntRange(1, 1_000_000), default=500, show_default=True)
@click.option("--keep-days", type=click.IntRange(1, 36_500), default=90, show_default=True)
@click.option("--textfile", type=click.Path(dir_okay=False), help="For Prometheus' collector.")
@click.option(
    "--hook", type=click.Path(dir_okay=False), help="What to call when what differs has changed."
)
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
        if told.shows_table:
            told(report)
        problems = _keep(report, history, given["keep"], given["keep_days"])
        is_last = not (fix and report.drift)
        try:
            if is_last and not told.shows_table:  # a program reads one report: the last
                told(report)
        finally:
            for problem in problems:
                click.echo(f"dockyard drift: {problem}", err=True)
    if not is_last:
        if _is_to_mend(report, given["yes"], told.shows_table):
            _mend(path, report.mendable, given["data"])
            _start_again()
        if not told.shows_table:
            with _as_errors():
                told(report)
    sys.exit(1 if problems else report.exit_code)


class _Told:
    """Where a report goes, and in which form."""

    def __init__(self, form: str, out: Path | None) -> None:
        self._form, self._out = form, out

    @property
    def shows_table(self) -> bool:
        """Whether the operator sees what differs, and no program reads it."""
        return self._form == "table" and self._out is None

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
    report: Report, history: dict[str, Path | None], keep: int, keep_days: int
) -> tuple[str, ...]:
    """Keep the report, and tell who is to be told; return what could not be done."""
    from roles.drift.history import record

    directory, textfile, hook = (history[name] for name in ("record", "textfile", "hook"))
    if directory is None:
        return ()
    return record(report, directory, keep, keep_days, textfile, hook).problems


def _is_to_mend(report: Report, yes: bool, is_shown: bool) -> bool:
    """Whether a deploy follows: it can mend something, and the operator wants it."""
    from roles.drift.report import console, table
    from roles.host_check.finding import one_line

    for host, why in report.refused.items():
        text = f"{host} is left as it is: a deploy refuses it, {one_line(why)}"
        click.echo(f"dockyard drift: {text}", err=True)
    hosts = report.mendable
    if not hosts:
        click.echo("dockyard drift: no deploy mends what differs; nothing was changed", err=True)
        return False
    if yes:
        return True
    if not is_shown:
        console(on_stderr=True).print(table(report))
    return confirmed(f"Deploy to {', '.join(hosts)}?")


def _mend(inventory: str, hosts: Sequence[str], data: Sequence[str]) -> None:
    """Deploy to these hosts, as an ordinary rollout."""
    words = [inventory, "deploy/soa.py", "-y"]
    words += [word for host in hosts for word in ("--limit", host)]
    words += [word for each in data for word in ("--data", each)]
    click.echo(f"dockyard drift: deploying to {', '.join(hosts)}", err=True)
    code = run_pyinfra(*words, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if code == INTERRUPTED:
        click.echo("dockyard drift: interrupted; what is done is told above", err=True)
        sys.exit(INTERRUPTED)
    if code:
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
