"""Build what no host has, and stream images from host to host."""

from __future__ import annotations

from collections.abc import Generator
from itertools import groupby
from pathlib import Path

from pyinfra import logger, state
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.command import PyinfraCommand

from roles.images.context import archive, tag_now
from roles.images.plan import Build, Transfer, builds, transfers
from roles.observed import channel, forget
from roles.run.conductor import exit_if_interrupted
from roles.run.current import current_fleet
from roles.run.fleet import Fleet
from roles.run.report import done


@operation()
def images() -> Generator[PyinfraCommand, None, None]:
    """Have every image on every host that runs it, under one ID. To be called with `_run_once`."""
    fleet = current_fleet(state)
    if builds(fleet) or transfers(fleet):
        yield FunctionCommand(_deliver, (), {})


def _deliver(state: State, host: Host) -> bool:
    fleet = current_fleet(state)
    coming = builds(fleet)
    try:
        for build in coming:
            exit_if_interrupted()
            _build(state, fleet, build)
        for group in _alike(transfers(fleet)):
            exit_if_interrupted()
            _transfer(state, fleet, group)
        delivered = current_fleet(state)
        _verify(delivered)
        for build in coming:
            _tell_twins(state, delivered, build)
    except channel.RemoteError as error:
        logger.error(f"images: {error}")
        return False
    return True


def _build(state: State, fleet: Fleet, build: Build) -> None:
    host = state.inventory.get_host(build.builder)
    wanted = fleet[build.builder].wanted.images
    _import_base(state, host, fleet, build)
    if tag_now(build.source, wanted.base_image) != build.tag:
        raise channel.RemoteError(
            f"the build context '{build.source.context}' was edited since the survey; run again"
        )
    host.log(f"building {build.tag}")
    command = ["docker", "build", "--force-rm", "--tag", build.tag]
    command += ["--build-arg", f"BASE_IMAGE={wanted.base_image}", "-"]
    forget(host)
    try:
        channel.run(
            state, host, command, stdin=archive(build.source), timeout_s=wanted.build_timeout_s
        )
    except channel.RemoteError as error:
        raise channel.RemoteError(
            f"{host.name}: building {build.tag} from '{build.source.context}' failed: {error}"
        ) from error
    done(state, build.change)


def _tell_twins(state: State, fleet: Fleet, build: Build) -> None:
    """Say that a build has come to an image that was there, so that no container is replaced."""
    built = fleet[build.builder].observed.image(build.tag)
    twins = [tag for tag in built.tags if tag != build.tag] if built else []
    if twins:
        host = state.inventory.get_host(build.builder)
        host.log(f"{build.tag} is the same image as {', '.join(twins)}: what runs that stays")


def _import_base(state: State, host: Host, fleet: Fleet, build: Build) -> None:
    """Give the builder the base image from an archive, where the data names one for it."""
    wanted = fleet[build.builder].wanted.images
    base = wanted.base_archives.get(wanted.base_image)
    known = channel.run(
        state, host, ["docker", "image", "inspect", wanted.base_image], timeout_s=30, check=False
    )
    if base is None or known.exit_code == 0:
        return
    host.log(f"importing {wanted.base_image} from {base}")
    command = ["docker", "import", "-", wanted.base_image]
    timeout_s = wanted.transfer_timeout_s
    channel.run(state, host, command, stdin=channel.chunks_of(Path(base)), timeout_s=timeout_s)


def _alike(found: list[Transfer]) -> list[list[Transfer]]:
    """Group what can travel in one stream: the same images from the same host."""

    def cargo(transfer: Transfer) -> tuple[str, tuple[str, ...]]:
        return transfer.sender, transfer.tags

    return [list(group) for _, group in groupby(sorted(found, key=cargo), key=cargo)]


def _transfer(state: State, fleet: Fleet, group: list[Transfer]) -> None:
    sender = state.inventory.get_host(group[0].sender)
    receivers = [state.inventory.get_host(transfer.receiver) for transfer in group]
    for receiver in receivers:
        receiver.log(f"receiving {', '.join(group[0].tags)} from {sender.name}")
        forget(receiver)
    channel.stream(
        state,
        sender,
        ["docker", "save", *group[0].tags],
        {receiver: ["docker", "load", "--quiet"] for receiver in receivers},
        timeout_s=fleet[sender.name].wanted.images.transfer_timeout_s,
    )
    for change in (change for transfer in group for change in transfer.changes):
        done(state, change)


def _verify(fleet: Fleet) -> None:
    left = [str(change) for transfer in transfers(fleet) for change in transfer.changes]
    if left:
        raise channel.RemoteError(f"still to do after delivery: {'; '.join(left)}")
