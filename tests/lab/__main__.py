"""The lab from the command line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import click

from tests.lab import Lab, LabError, repository
from tests.lab.base import FLAVOURS, RELEASES


class _Commands(click.Group):
    """Shows a LabError as what it is, an error of the user's machine, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LabError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--name",
    default="lab",
    envvar="DOCKYARD_LAB",
    show_default=True,
    show_envvar=True,
    help="Which lab; each has hosts and a subnet of its own.",
)
@click.pass_context
def lab(ctx: click.Context, name: str) -> None:
    """Real hosts on this machine: each with its own init, SSH server and address.

    Needs root. State is kept in /var/lib/dockyard-lab (DOCKYARD_LAB_DIR), root file systems that
    hosts start from in /var/cache/dockyard-lab (DOCKYARD_LAB_CACHE).
    """
    ctx.obj = Lab(name)


@lab.command()
@click.option("--hosts", default=3, show_default=True, help="Hosts for engine and proxy.")
@click.option("--registry", default=1, show_default=True, help="Hosts for the registry.")
@click.option(
    "--release",
    type=click.Choice([*RELEASES, "mixed"]),
    default="mixed",
    show_default=True,
    help="Debian's release; mixed: bookworm and trixie in turn.",
)
@click.option("--with-docker", is_flag=True, help="Hosts that have Debian's Docker engine.")
@click.pass_obj
def up(lab: Lab, hosts: int, registry: int, release: str, with_docker: bool) -> None:
    """Start the lab, or repair it, or change its shape.

    Hosts that run and match are left as they are. The first time, root file systems are made from
    this machine's package mirror, which takes a minute or two.
    """
    lab.up(hosts=hosts, registry=registry, release=release, with_docker=with_docker)
    _show(lab)


@lab.command()
@click.option(
    "--release",
    type=click.Choice(RELEASES),
    default="bookworm",
    show_default=True,
    help="Debian's release.",
)
@click.option(
    "--flavour",
    "flavours",
    type=click.Choice(list(FLAVOURS)),
    multiple=True,
    help="; ".join(f"{name}: {what}" for name, what in FLAVOURS.items()) + ". Default: bare.",
)
@click.option(
    "--docker-disk-mb",
    type=click.IntRange(min=16),
    help="Give /var/lib/docker a disk of its own of this size (MiB).",
)
@click.argument("host")
@click.pass_obj
def add(
    lab: Lab, host: str, release: str, flavours: tuple[str, ...], docker_disk_mb: int | None
) -> None:
    """Add a host beside the usual ones, or change one that was added.

    Later runs of up leave it there; down removes it.
    """
    lab.add(host, release, flavours=flavours, docker_disk_mb=docker_disk_mb)
    _show(lab)


@lab.command()
@click.option("--all", "every", is_flag=True, help="Every lab of this machine.")
@click.pass_obj
def down(lab: Lab, every: bool) -> None:
    """Remove the lab: hosts, disks, network. The cached root file systems stay."""
    for each in Lab.all() if every else [lab]:
        each.down()
        click.echo(f"lab {each.name}: down")


@lab.command()
@click.pass_obj
def status(lab: Lab) -> None:
    """Show the hosts. Exits 1 if one of them, or the whole lab, is not running."""
    _show(lab)
    if not lab.hosts or not all(host.is_running for host in lab.hosts):
        raise SystemExit(1)


@lab.command(context_settings={"ignore_unknown_options": True})
@click.option("--user", default="root", show_default=True, help="Also: ops, deployer, guest.")
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def ssh(lab: Lab, user: str, host: str, command: tuple[str, ...]) -> None:
    """Log in to a host, or run a command there."""
    argv = [*lab[host].ssh_command(user), *command]
    sys.stdout.flush()
    os.execvp(argv[0], argv)


@lab.command()
@click.option("--with-docker", is_flag=True, help="With Debian's Docker engine.")
@click.argument("hosts", nargs=-1, required=True)
@click.pass_obj
def reset(lab: Lab, with_docker: bool, hosts: tuple[str, ...]) -> None:
    """Make hosts bare again: power cut, empty disk, boot. Their SSH keys stay."""
    lab.reset(*hosts, with_docker=with_docker)
    _show(lab)


@lab.command()
@click.pass_obj
def serve(lab: Lab) -> None:
    """Serve repositories laid out as Docker's own to the hosts, until Ctrl-C.

    The first time, packages are built from Debian's, which takes some minutes.
    """
    with repository.serve(lab) as repo:
        click.echo(f"apt:  deb [signed-by=KEY] {repo.url}/debian CODENAME stable")
        click.echo(f"dnf:  baseurl={repo.url}/rhel/$releasever/$basearch/stable")
        click.echo(f"key:  {repo.url}/debian/gpg  {repo.fingerprint}")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


def _show(lab: Lab) -> None:
    row = "{:<12} {:<9} {:<16} {:<15} {:<8} {}".format
    click.echo(row("HOST", "RELEASE", "FLAVOUR", "ADDRESS", "STATE", "GROUPS"))
    for host in lab.hosts:
        state = "running" if host.is_running else "stopped"
        flavour, groups = "+".join(host.spec.flavours) or "bare", ", ".join(host.groups)
        click.echo(row(host.name, host.release, flavour, host.address, state, groups))


if __name__ == "__main__":
    lab(prog_name="python -m tests.lab")
