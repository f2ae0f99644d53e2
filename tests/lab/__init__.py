"""Test hosts on one machine: see ``python -m tests.lab --help``."""

from tests.lab.command import LabError
from tests.lab.host import LabHost
from tests.lab.lab import Lab

__all__ = ["Lab", "LabError", "LabHost"]
