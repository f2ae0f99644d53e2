"""Whether hosts are fit for all this; reads them, and changes nothing.

    pyinfra INVENTORY deploy/verify.py [--limit HOST] [--data verify_report=PATH]

Tells of every host of the inventory what fails, what is only a warning, why it matters and how to
mend it; also of hosts that can't be reached, and of those whose data is wrong. With `verify_report`
the same is written to PATH as JSON. Never asks. Exits with 0 where nothing fails, else with 1.
Every check, how to accept one's failure, and the keys of the report: docs/verify.md.
"""

from roles.host_check.verify import verify

verify()
