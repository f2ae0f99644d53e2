"""Run the proxy: HAProxy, and the agent that tells it which engines there are.

    SIGTERM  leave the registry, serve until callers have gone elsewhere, finish, exit 0.

If HAProxy dies, so does the agent, with 1: whoever runs the container starts both again.
"""

import logging
import os
import signal
import sys

from osp_common.logs import log_events
from osp_common.settings import EX_USAGE, SettingError

from .agent import Agent
from .haproxy_process import StartError
from .settings import Settings


def main() -> int:
    try:
        settings = Settings.read(os.environ)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return EX_USAGE
    log_events(settings.logs)
    agent = Agent(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, agent.stop)
    try:
        return agent.run()
    except (StartError, OSError) as error:
        logging.getLogger("osp.proxy").error("can't start: %s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
