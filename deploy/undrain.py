"""Have drained hosts back before their time; returns when they are called again.

    pyinfra INVENTORY deploy/undrain.py [--limit HOST]

Also: dockyard undrain HOST.
"""

from roles.maintenance import undrain
from roles.maintenance.deploy import call_back
from roles.run.survey import survey

survey((undrain,), with_drained=True)

call_back()
