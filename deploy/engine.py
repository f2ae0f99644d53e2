"""The Docker engine alone: installed, enabled, running, answering.

pyinfra INVENTORY deploy/engine.py [--dry] [-y] [--limit HOST]
"""

from roles.docker_engine import plan as docker_engine
from roles.docker_engine.deploy import install_engine
from roles.run.survey import survey

survey((docker_engine,))

install_engine()
