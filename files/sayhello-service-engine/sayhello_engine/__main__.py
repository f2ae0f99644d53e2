"""Run the engine: serve, stay registered, and obey signals.

SIGUSR1  drain: leave the registry and go on serving. Ends by itself when the lease runs out;
         another SIGUSR1 renews the lease.
SIGUSR2  end the drain at once.
SIGTERM  leave the registry, serve until callers have gone elsewhere, finish, exit 0.

A mark in the registry, `/osp/drain/<ip>:<port>`, drains it too, for as long as the mark stands, or
until the time that its name tells.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

from osp_common.logs import access_logger, log_events
from osp_common.registry import (
    DRAIN_PATH,
    Membership,
    MemberWatch,
    describe_instance,
    engines_path,
    marked,
)
from osp_common.settings import EX_USAGE, SettingError

from . import __version__
from .service import Server, Traffic
from .settings import Settings

SERVICE = "sayhello"
QUIET_S = 1.0
LEAVE_TIMEOUT_S = 2.0
FIRST_READING_TIMEOUT_S = 5.0

_SIGNALS = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT}

log = logging.getLogger("osp.engine")


class Engine:
    """One engine's servers, its place in the registry, and whether it is being drained."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instance = describe_instance(__version__)
        self._traffic = Traffic()
        self._drained_until: float | None = None
        self._is_marked: bool | None = None
        self._is_stopping = False
        self._is_joined = False
        self._settling = threading.Lock()
        self._started_at = time.monotonic()
        access_log = access_logger(settings.logs)
        self._servers = [
            Server(listen, settings.export, self._traffic, self.status, access_log)
            for listen in settings.listen
        ]
        self._membership = Membership(
            settings.registry_hosts,
            f"{engines_path(SERVICE)}/{settings.export}",
            self._instance,
            settings.session_timeout_s,
        )

    def status(self) -> dict[str, object]:
        """Return what `/status` tells.

        `draining`: by a signal, by a mark, or both. `drain_ends_in_s` is None without a signal's
        lease, `marked` tells whether a mark stands.
        """
        until = self._drained_until
        return {
            "address": str(self._settings.export),
            "registered": self._membership.is_registered,
            "draining": self._is_drained,
            "marked": bool(self._is_marked),
            "drain_ends_in_s": None if until is None else round(until - time.monotonic(), 1),
            "stopping": self._traffic.is_closing,
            "in_flight": self._traffic.in_flight,
            "served": self._traffic.served,
            **self._instance,
        }

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, which the caller has blocked for every thread."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        MemberWatch(
            self._settings.registry_hosts,
            [DRAIN_PATH],
            self._settings.session_timeout_s,
            self._on_marks,
        )
        log.info("%s serves at %s", self._settings.export, _text(self._settings.listen))
        while (received := self._next_signal()) not in (signal.SIGTERM, signal.SIGINT):
            if received == signal.SIGUSR1:
                self._drain()
            else:
                self._undrain()
        self._stop()

    def _next_signal(self) -> int | None:
        """Return the next signal, or None when the drain's lease has run out."""
        if self._drained_until is None:
            return signal.sigwait(_SIGNALS)
        left_s = max(0.0, self._drained_until - time.monotonic())
        received = signal.sigtimedwait(_SIGNALS, left_s)
        return received.si_signo if received else None

    @property
    def _is_drained(self) -> bool:
        return self._drained_until is not None or bool(self._is_marked)

    def _drain(self) -> None:
        log.info("draining for %g s", self._settings.drain_lease_s)
        self._drained_until = time.monotonic() + self._settings.drain_lease_s
        self._settle()

    def _undrain(self) -> None:
        if self._drained_until is not None:
            log.info("no longer draining by a signal")
        self._drained_until = None
        self._settle()

    def _on_marks(self, readings: Mapping[str, frozenset[str]] | None) -> None:
        """Heed the marks. While the registry can't be read, all stays as it is.

        An engine that has just started registers when it knows that no mark stands, or when it
        can't learn that, as where the folder's rights forbid it.
        """
        waited_s = time.monotonic() - self._started_at
        if readings is not None:
            is_marked = str(self._settings.export) in marked(readings[DRAIN_PATH], time.time())
            if is_marked != bool(self._is_marked):
                log.info("a mark asks for a drain" if is_marked else "no mark asks any more")
            self._is_marked = is_marked
        elif self._is_marked is None and waited_s >= FIRST_READING_TIMEOUT_S:
            self._is_marked = False
        self._settle()

    def _settle(self) -> None:
        """Join or leave the registry, as signals and marks together want it."""
        with self._settling:
            wanted = self._is_marked is not None and not self._is_drained
            if self._is_stopping or wanted == self._is_joined:
                return
            self._is_joined = wanted
            if wanted:
                self._membership.join()
            else:
                self._membership.leave(LEAVE_TIMEOUT_S)

    def _stop(self) -> None:
        log.info("stopping")
        deadline = time.monotonic() + self._settings.stop_grace_s
        self._traffic.close()
        with self._settling:
            self._is_stopping = True
        self._membership.leave(min(LEAVE_TIMEOUT_S, self._settings.stop_grace_s))
        self._traffic.wait_until_quiet(QUIET_S, deadline)
        for server in self._servers:
            server.shutdown()
            server.server_close()
        if not self._traffic.wait_until_idle(deadline):
            log.warning("%d requests were cut off", self._traffic.in_flight)
        log.info("stopped")


def main() -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        settings = Settings.read(os.environ)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return EX_USAGE
    log_events(settings.logs)
    try:
        engine = Engine(settings)
    except OSError as error:
        log.error("can't listen at %s: %s", _text(settings.listen), error)
        return 1
    engine.run()
    return 0


def _text(endpoints: object) -> str:
    return ", ".join(map(str, endpoints))  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
