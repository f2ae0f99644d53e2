"""What on hosts is not as it is wanted; reads them, and changes nothing.

    pyinfra INVENTORY deploy/drift.py [--limit HOST]

The same as `dockyard drift INVENTORY`, which writes other forms of the report, keeps a history and
mends. Exits with 0 where all is in sync, with 2 where something differs, with 3 where a host could
not be checked and nothing differs elsewhere, with 1 where the data is wrong.
"""

from roles.drift.told import tell_drift

tell_drift()
