"""What a part prints, on all its hosts: each line after its host's name.

    pyinfra INVENTORY deploy/logs.py --data logs.part=engine|proxy|registry|sdk [--limit HOST]
        [--data logs.tail=100] [--data logs.follow=true]

The last lines of all hosts, merged by their time; or followed until Ctrl-C, through a container's
replacement too. Also: dockyard logs PART.
"""

from roles.maintenance.logs import tell_logs

tell_logs()
