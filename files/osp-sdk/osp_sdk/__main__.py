"""The command `osp-sdk`.

    osp-sdk call sayhello name=world [--count N] [--rate PER_S] ...
    osp-sdk proxies
    osp-sdk idle

Exits 0 if every call had a reply, 1 otherwise, 64 where it was asked for something unusable.
"""

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from osp_common import settings
from osp_common.logs import log_events
from osp_common.settings import EX_USAGE, Endpoint, SettingError

from . import Client
from .client import METHODS, Reply
from .errors import CallError
from .summary import Summary

log = logging.getLogger("osp.sdk")


def main() -> int:
    arguments = _parser().parse_args()
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
    try:
        return int(arguments.run(arguments))
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return EX_USAGE


def _call(arguments: argparse.Namespace) -> int:
    parameters = dict(arguments.parameters)
    summary = Summary()
    with _client(arguments, arguments.service) as client:
        client.proxies()
        started_at = time.monotonic()
        for number in range(arguments.count):
            if arguments.rate:
                time.sleep(max(0.0, started_at + number / arguments.rate - time.monotonic()))
            called_at = time.monotonic()
            outcome: Reply | CallError
            try:
                outcome = client.request(arguments.method, parameters)
            except CallError as error:
                outcome = error
            latency_ms = (time.monotonic() - called_at) * 1000
            summary.add(outcome, latency_ms)
            if not arguments.json and not arguments.quiet:
                _say(_line(outcome, latency_ms))
    if arguments.json or arguments.count > 1:
        _say(json.dumps(summary.as_dict(), indent=None if arguments.json else 2))
    return 1 if summary.errors else 0


def _line(outcome: Reply | CallError, latency_ms: float) -> str:
    if isinstance(outcome, CallError):
        return f"error {outcome.kind}: {outcome}"
    content = json.dumps(outcome.json, ensure_ascii=False)
    return f"{content} proxy={outcome.proxy} {latency_ms:.1f} ms"


def _proxies(arguments: argparse.Namespace) -> int:
    with _client(arguments, "") as client:
        names = client.proxies()
    for name in names:
        _say(name)
    return 0 if names else 1


def _idle(_arguments: argparse.Namespace) -> int:
    """Wait for SIGTERM, so that a container has something to run between calls."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    log_events(settings.directory(os.environ, "OSP_LOGS_DIR"))
    log.info("ready for calls")
    received = signal.sigwait(signals)
    log.info("stopped by %s", signal.Signals(received).name)
    return 0


def _client(arguments: argparse.Namespace, service: str) -> Client:
    given = arguments.proxies or os.environ.get("OSP_PROXIES") or ""
    proxies = [name.strip() for name in given.split(",") if name.strip()]
    try:
        proxies = [str(Endpoint.parse(name)) for name in proxies]
    except ValueError:
        raise SettingError("OSP_PROXIES or --proxies", "ip:port,ip:port,...", given) from None
    data = os.environ.get("OSP_DATA_DIR")
    return Client(
        service,
        registry=None if proxies else _registry(arguments, os.environ),
        proxies=proxies,
        timeout_s=arguments.timeout_s,
        connect_timeout_s=arguments.connect_timeout_s,
        retries=arguments.retries,
        known_file=Path(data) / "proxies.json" if data else None,
    )


def _registry(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    if arguments.registry:
        environ = {settings.REGISTRY_VARIABLE: arguments.registry}
    return settings.registry_hosts(environ)


def _parser() -> argparse.ArgumentParser:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--registry", help=f"host:port,... (default: {settings.REGISTRY_VARIABLE})")
    where.add_argument("--proxies", help="ip:port,... instead of a registry (default: OSP_PROXIES)")
    where.add_argument("--timeout-s", type=_positive, default=10.0, help="of a whole call")
    where.add_argument("--connect-timeout-s", type=_positive, default=1.0)
    where.add_argument("--retries", type=int, default=1, help="of GET and HEAD that were sent")

    parser = argparse.ArgumentParser(prog="osp-sdk", description="Call services through proxies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    call = commands.add_parser("call", parents=[where], help="call a service")
    call.add_argument("service")
    call.add_argument("parameters", nargs="*", type=_parameter, metavar="name=value")
    call.add_argument("--method", choices=METHODS, default="GET")
    call.add_argument("--count", type=int, default=1)
    call.add_argument("--rate", type=_positive, help="calls a second (default: one after another)")
    call.add_argument("--json", action="store_true", help="only the summary, as one line of JSON")
    call.add_argument("--quiet", action="store_true", help="only the summary")
    call.set_defaults(run=_call)

    proxies = commands.add_parser("proxies", parents=[where], help="list the proxies")
    proxies.set_defaults(run=_proxies)

    idle = commands.add_parser("idle", help="wait for SIGTERM: what the container runs")
    idle.set_defaults(run=_idle)
    return parser


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name, value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
