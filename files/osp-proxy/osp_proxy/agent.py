"""The agent: keeps HAProxy in step with the registry, and says where the proxy stands."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from subprocess import Popen

from osp_common import last_known
from osp_common.logs import BlockLog
from osp_common.registry import (
    DRAIN_PATH,
    PROXIES_PATH,
    Membership,
    MemberWatch,
    describe_instance,
    marked,
)

from . import __version__, haproxy_config, haproxy_process, reconcile, runtime_api, status
from .engine_list import EngineList
from .runtime_api import Server
from .settings import Settings

FIRST_READING_TIMEOUT_S = 3.0
FIRST_READING_TIMEOUT_WITH_KNOWN_S = 1.0
RECONCILE_INTERVAL_S = 1.0
REMOVAL_INTERVAL_S = 0.05
QUIET_S = 1.0
LEAVE_TIMEOUT_S = 2.0

_EXPECTED_ANSWERS = ("New server registered.", "Server deleted.")

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
        self._is_serving = False
        self._is_marked = False
        self._is_joined = False
        self._settling = threading.Lock()
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
        watch = self._watch()
        try:
            self._await_first_reading()
            process = self._start_haproxy()
            try:
                return self._serve(process)
            finally:
                process.kill()
        finally:
            watch.close()

    def _serve(self, process: "Popen[bytes]") -> int:
        status_servers = [
            status.start(listen, self.status) for listen in self._settings.status_listen
        ]
        self._is_serving = True
        self._settle()
        log.info("%s serves %s", self._settings.export, ", ".join(self._settings.services))
        if not self._follow_registry(process):
            log.error("HAProxy ended with exit code %s", process.returncode)
            return 1
        for server in status_servers:
            server.refuse()
        self._leave(process)
        for server in status_servers:
            server.shutdown()
            server.server_close()
        return 0

    def stop(self) -> None:
        """Ask `run` to end. Not for a signal's handler: it could meet its own thread's lock."""
        self._is_stopping = True
        self._wake.set()

    def status(self) -> dict[str, object]:
        """Return what `/status` tells, read from HAProxy now. Raises OSError.

        A service's engines are those that get traffic and those on which requests of this proxy
        are still in flight.
        """
        servers = runtime_api.all_servers(self._socket)
        return {
            "proxy": str(self._settings.export),
            "registry": {
                "connected": all(engines.is_connected for engines in self._engines.values()),
                "stale": any(engines.is_stale for engines in self._engines.values()),
            },
            "registered": self._membership.is_registered,
            "marked": self._is_marked,
            "services": {
                service: _service_status(engines, servers.get(service, []))
                for service, engines in self._engines.items()
            },
            **self._instance,
        }

    def _watch(self) -> MemberWatch:
        """Watch everything in one session.

        The marks are read last: an engine that has left because of one is never taken for an
        engine that has left without.
        """
        folders = [layout.folder for layout in self._settings.services.values()]
        return MemberWatch(
            self._settings.registry_hosts,
            [*dict.fromkeys(folders), DRAIN_PATH],
            self._settings.session_timeout_s,
            self._on_members,
        )

    def _on_members(self, readings: Mapping[str, frozenset[str]] | None) -> None:
        drained = frozenset[str]()
        if readings is not None:
            drained = marked(readings[DRAIN_PATH], time.time())
            self._heed_own_mark(str(self._settings.export) in drained)
        is_changed = False
        for service, layout in self._settings.services.items():
            listed = None if readings is None else layout.engines(readings[layout.folder])
            is_changed |= self._update(service, listed, drained)
        if is_changed:
            self._save_known()

    def _heed_own_mark(self, is_marked: bool) -> None:
        """Leave the registry while a mark asks for that; who still calls is served."""
        if is_marked != self._is_marked:
            log.info("a mark asks for a drain" if is_marked else "no mark asks any more")
            self._is_marked = is_marked
            self._settle()

    def _settle(self) -> None:
        """Join or leave the registry, as this proxy's state and the marks want it."""
        with self._settling:
            wanted = self._is_serving and not self._is_marked
            if wanted == self._is_joined:
                return
            self._is_joined = wanted
            if wanted:
                self._membership.join()
            elif self._is_serving:
                self._membership.leave(0)

    def _update(self, service: str, listed: frozenset[str] | None, marked: frozenset[str]) -> bool:
        """Take one reading in. Returns whether other engines are kept than before."""
        now = time.monotonic()
        return self._become(service, lambda engines: engines.after(listed, marked, now))

    def _become(self, service: str, change: Callable[[EngineList], EngineList]) -> bool:
        with self._engines_lock:
            before = self._engines[service]
            after = self._engines[service] = change(before)
        if after == before:
            return False
        self._wake.set()
        log.info("%s: %s", service, after.summary)
        if after.alarm != before.alarm:
            if after.alarm:
                log.warning("%s: %s", service, after.alarm)
            else:
                log.info("%s: no longer alarmed", service)
        return after.kept != before.kept

    def _save_known(self) -> None:
        """Slow, since it syncs the disk: to be called when HAProxy's thread was woken already."""
        kept = {name: engines.kept for name, engines in self._engines.items()}
        last_known.save(self._known_file, kept)

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

    def _start_haproxy(self) -> "Popen[bytes]":
        wanted = {service: engines.in_traffic for service, engines in self._engines.items()}
        config = haproxy_config.render(self._settings, self._socket, wanted)
        access_log = BlockLog(self._settings.logs / "access.log")
        return haproxy_process.start(config, self._socket, access_log.write)

    def _follow_registry(self, process: "Popen[bytes]") -> bool:
        """Return True when asked to stop, False when HAProxy has ended."""
        while not self._is_stopping:
            if process.poll() is not None:
                return False
            interval_s = RECONCILE_INTERVAL_S
            try:
                if not self._reconcile():
                    interval_s = REMOVAL_INTERVAL_S
            except OSError as error:
                log.warning("HAProxy does not answer: %s", error)
            self._wake.wait(interval_s)
            self._wake.clear()
        return True

    def _reconcile(self) -> bool:
        """Return whether HAProxy has the wanted engines and no others.

        It may refuse to delete one for a moment, while a connection to it is being closed.
        """
        servers = runtime_api.all_servers(self._socket)
        is_settled = True
        commands = []
        for service in self._engines:
            found = servers.get(service, [])
            self._heed_checks(service, found)
            wanted = self._engines[service].in_traffic
            commands += reconcile.plan(service, wanted, found)
            is_settled = is_settled and wanted == {server.name for server in found}
        answers = runtime_api.execute_all(self._socket, commands)
        if any(not command.startswith("del ") for command in commands):
            log.info("%s", "; ".join(commands))
        for answer in answers:
            if answer not in _EXPECTED_ANSWERS and "cannot" not in answer:
                log.warning("HAProxy: %s", answer)
        return is_settled

    def _heed_checks(self, service: str, servers: list[Server]) -> None:
        up = frozenset(server.name for server in servers if server.state == "up")
        failed = frozenset(server.name for server in servers if server.has_failed)
        if self._become(service, lambda engines: engines.after_checks(up, failed)):
            self._save_known()

    def _leave(self, process: "Popen[bytes]") -> None:
        """Leave the registry, wait until callers have gone elsewhere, let HAProxy finish.

        Where a successor has this proxy's listeners, it takes the callers at once. It has its node
        too, or will; the registry may be away.
        """
        log.info("stopping")
        with self._settling:
            self._is_serving = False
        deadline = time.monotonic() + self._settings.stop_grace_s
        is_superseded = self._membership.state == "superseded"
        if is_superseded or haproxy_process.has_successor(self._socket):
            haproxy_process.begin_to_stop(process)
            self._membership.leave(min(LEAVE_TIMEOUT_S, self._settings.stop_grace_s))
        else:
            self._membership.leave(min(LEAVE_TIMEOUT_S, self._settings.stop_grace_s))
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


def _service_status(engines: EngineList, servers: list[Server]) -> dict[str, object]:
    return {
        "stale": engines.is_stale,
        "alarm": engines.alarm,
        "engines": [
            {
                "address": server.name,
                "state": server.state,
                "registered": server.name in engines.listed,
                "drained": server.name in engines.marked,
                "in_flight": server.in_flight,
                "served": server.served,
            }
            for server in servers
        ],
    }
