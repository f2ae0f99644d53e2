"""The check for drift, made by this machine itself at its times; or no more.

    pyinfra @local deploy/schedule_drift.py [--dry] [-y] [--data drift.schedule.interval=15m]

As root, on the machine that Dockyard runs from. Makes an account without rights, with an SSH key of
its own, and a timer of systemd's (elsewhere a line of cron's) that runs `dockyard drift` as that
account. What can be said is in group_data/all.py, under `drift`; the hosts' side: docs/drift.md.
`--data drift.schedule.state=absent` takes the schedule away and leaves the history;
`--data drift.schedule.purge=true` beside it takes account, key and history, too.
"""

from roles.drift.deploy import schedule_check

schedule_check()
