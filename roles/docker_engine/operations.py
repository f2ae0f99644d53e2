"""Operations that bring the engine about; pyinfra's own do the work."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host, state
from pyinfra.api import StringCommand, operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.operations import apt, systemd

from roles.docker_engine.plan import package_change, packages, service_change
from roles.run.current import current_fleet
from roles.run.report import done

LOCK_S = 300
"""How long to wait for another installation, such as a new host's own first updates."""


@operation()
def engine_packages() -> Generator[PyinfraCommand, None, None]:
    """Install the engine's packages, and see its service enabled and answering."""
    member = current_fleet(state)[host.name]
    change = package_change(member)
    if change:
        yield from apt.packages._inner(
            packages=list(packages(member.observed)),
            update=True,
            no_recommends=True,
            extra_install_args=f"-o DPkg::Lock::Timeout={LOCK_S}",
        )
        yield from _service_up(member.wanted.docker_engine.start_timeout_s)
        done(state, change)


@operation()
def engine_service() -> Generator[PyinfraCommand, None, None]:
    """Enable and start an installed engine, and see that it answers."""
    member = current_fleet(state)[host.name]
    change = service_change(member)
    if change:
        yield from _service_up(member.wanted.docker_engine.start_timeout_s)
        done(state, change)


def _service_up(timeout_s: int) -> Generator[PyinfraCommand, None, None]:
    yield from systemd.service._inner("docker.service", running=True, enabled=True)
    yield StringCommand(
        f"timeout {timeout_s} sh -c 'until docker version >/dev/null 2>&1; do sleep 0.2; done' || "
        "{ journalctl -u docker.service -n 15 --no-pager >&2; exit 1; }"
    )
