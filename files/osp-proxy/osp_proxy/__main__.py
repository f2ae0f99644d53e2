"""Run the proxy: HAProxy, and the agent that tells it which engines there are.

    SIGTERM  leave the registry, serve until callers have gone elsewhere, finish, exit 0.

If HAProxy dies, so does the agent, with 1: whoever runs the container starts both again.
"""

import logging
import os
import signal
import sys
import threading

from osp_common.logs import log_events
from osp_common.settings import EX_USAGE, SettingError

from .agent import Agent
from .haproxy_process import StartError
from .settings import Settings

_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        settings = Settings.read(os.environ)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return EX_USAGE
    log_events(settings.logs)
    agent = Agent(settings)
    threading.Thread(target=_stop_at_signal, args=(agent,), daemon=True).start()
    try:
        return agent.run()
    except (StartError, OSError) as error:
        logging.getLogger("osp.proxy").error("can't start: %s", error)
        return 1


def _stop_at_signal(agent: Agent) -> None:
    """Wait for a signal that is blocked for every thread; HAProxy unblocks its own (2.6)."""
    signal.sigwait(_SIGNALS)
    agent.stop()


if __name__ == "__main__":
    sys.exit(main())
