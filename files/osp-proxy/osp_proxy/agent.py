"""The agent: keeps HAProxy in step with the registry, and says where the proxy stands."""

import logging
import threading
import time
from subprocess import Popen

from osp_common import last_known
from osp_common.logs import access_logger
from osp_common.registry import (
    PROXIES_PATH,
    Membership,
    MemberWatch,
    describe_instance,
    engines_path,
)

from . import __version__, haproxy_config, haproxy_process, reconcile, runtime_api, status
from .engine_list import EngineList
from .settings import Settings

FIRST_READING_TIMEOUT_S = 3.0
FIRST_READING_TIMEOUT_WITH_KNOWN_S = 1.0
RECONCILE_INTERVAL_S = 1.0
REMOVAL_INTERVAL_S = 0.1
QUIET_S = 1.0
LEAVE_TIMEOUT_S = 2.0

_EXPECTED_ANSWERS = ("", "New server registered.", "Server deleted.")

log = logging.getLogger("osp.proxy")


class Agent:
    """One proxy's engines, its HAProxy, and its place in the registry."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        status_port = settings.status_listen[0].port
        self._instance = describe_instance(__version__, status_port=status_port)
        self._socket = settings.data / f"haproxy-{str(self._instance['instance'])[:8]}.sock"
        self._known_file = settings.data / "engines.json"
        known = last_known.load(self._known_file)
        self._engines = {
            service: EngineList(kept=known.get(service, frozenset()))
            for service in settings.services
        }
        self._engines_lock = threading.Lock()
        self._wake = threading.Event()
        self._is_stopping = False
        self._membership = Membership(
            settings.registry_hosts,
            f"{PROXIES_PATH}/{settings.export}",
            self._instance,
            settings.session_timeout_s,
        )

    def run(self) -> int:
        """Serve until `stop` is called or HAProxy ends. Returns the exit code.

        Raises OSError or `haproxy_process.StartError` where the proxy can't start.
        """
        for service in self._settings.services:
            self._watch(service)
        self._await_first_reading()
        process = self._start_haproxy()
        try:
            status_servers = [
                status.start(listen, self.status) for listen in self._settings.status_listen
            ]
            self._membership.join()
            log.info("%s serves %s", self._settings.export, ", ".join(self._settings.services))
            if not self._follow_registry(process):
                log.error("HAProxy ended with exit code %s", process.returncode)
                return 1
            for server in status_servers:
                server.shutdown()
                server.server_close()
            self._leave(process)
            return 0
        finally:
            process.kill()

    def stop(self, *_: object) -> None:
        """Ask `run` to end. Can be a signal's handler."""
        self._is_stopping = True
        self._wake.set()

    def status(self) -> dict[str, object]:
        """Return what `/status` tells, read from HAProxy now. Raises OSError.

        A service's engines are those that get traffic and those on which requests of this proxy
        are still in flight.
        """
        return {
            "proxy": str(self._settings.export),
            "registry": {
                "connected": all(engines.is_connected for engines in self._engines.values()),
                "stale": any(engines.is_stale for engines in self._engines.values()),
            },
            "registered": self._membership.is_registered,
            "services": {
                service: self._service_status(service) for service in self._settings.services
            },
            **self._instance,
        }

    def _service_status(self, service: str) -> dict[str, object]:
        engines = self._engines[service]
        return {
            "stale": engines.is_stale,
            "engines": [
                {
                    "address": server.name,
                    "state": server.state,
                    "registered": server.name in engines.listed,
                    "in_flight": server.in_flight,
                    "served": server.served,
                }
                for server in runtime_api.servers(self._socket, service)
            ],
        }

    def _watch(self, service: str) -> None:
        def on_members(names: frozenset[str] | None) -> None:
            self._update(service, names)

        MemberWatch(
            self._settings.registry_hosts,
            engines_path(service),
            self._settings.session_timeout_s,
            on_members,
        )

    def _update(self, service: str, reading: frozenset[str] | None) -> None:
        with self._engines_lock:
            before = self._engines[service]
            after = before.after(reading)
            self._engines[service] = after
            if after == before:
                return
            log.info("%s: %s", service, after.summary)
            if after.kept != before.kept:
                kept = {name: engines.kept for name, engines in self._engines.items()}
                last_known.save(self._known_file, kept)
        self._wake.set()

    def _await_first_reading(self) -> None:
        """Wait, within bounds, so that HAProxy does not start without engines or with old ones."""
        is_known = all(engines.kept for engines in self._engines.values())
        limit_s = FIRST_READING_TIMEOUT_WITH_KNOWN_S if is_known else FIRST_READING_TIMEOUT_S
        deadline = time.monotonic() + limit_s
        while not self._is_stopping and time.monotonic() < deadline:
            if all(engines.is_connected for engines in self._engines.values()):
                return
            self._wake.wait(0.1)
            self._wake.clear()

    def _start_haproxy(self) -> "Popen[str]":
        kept = {service: engines.kept for service, engines in self._engines.items()}
        config = haproxy_config.render(self._settings, self._socket, kept)
        access_log = access_logger(self._settings.logs, "%(message)s")
        return haproxy_process.start(config, self._socket, access_log)

    def _follow_registry(self, process: "Popen[str]") -> bool:
        """Return True when asked to stop, False when HAProxy has ended."""
        while not self._is_stopping:
            if process.poll() is not None:
                return False
            interval_s = RECONCILE_INTERVAL_S
            try:
                if not all([self._reconcile(service) for service in self._engines]):
                    interval_s = REMOVAL_INTERVAL_S
            except OSError as error:
                log.warning("HAProxy does not answer: %s", error)
            self._wake.wait(interval_s)
            self._wake.clear()
        return True

    def _reconcile(self, service: str) -> bool:
        """Return whether HAProxy has the wanted engines and no others.

        It may refuse to delete one for a moment, while a connection to it is being closed.
        """
        wanted = self._engines[service].kept
        servers = runtime_api.servers(self._socket, service)
        for command in reconcile.plan(service, wanted, servers):
            answer = runtime_api.execute(self._socket, command)
            if answer in _EXPECTED_ANSWERS:
                log.info("%s", command)
            elif not command.startswith("del "):
                log.warning("%s: %s", command, answer)
        return wanted == {server.name for server in servers}

    def _leave(self, process: "Popen[str]") -> None:
        """Leave the registry, wait until callers have gone elsewhere, let HAProxy finish.

        Where a successor has this proxy's node and listeners, it takes the callers at once.
        """
        log.info("stopping")
        deadline = time.monotonic() + self._settings.stop_grace_s
        is_superseded = self._membership.state == "superseded"
        self._membership.leave(min(LEAVE_TIMEOUT_S, self._settings.stop_grace_s))
        if not is_superseded:
            self._wait_until_quiet(deadline - self._settings.stop_grace_s / 2)
        haproxy_process.stop(process, deadline)
        log.info("stopped")

    def _wait_until_quiet(self, deadline: float) -> None:
        """Return when no request has come in for QUIET_S, at the latest at `deadline`."""
        total = -1
        while time.monotonic() + QUIET_S <= deadline:
            try:
                now = runtime_api.requests_total(self._socket, haproxy_config.FRONTEND)
            except OSError:
                return
            if now == total:
                return
            total = now
            time.sleep(QUIET_S)
