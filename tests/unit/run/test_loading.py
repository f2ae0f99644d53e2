"""What is loaded late, each in a process of its own: this one has loaded all."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

SSH_CONFIG = 'SSHConfig.from_text("Match exec true\\n  Port 7\\n")'


def said(program: str) -> str:
    words = [sys.executable, "-c", dedent(program)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_what_is_seldom_used_is_loaded_at_its_first_use() -> None:
    told = said(
        f"""
        import gc, sys
        from roles.run.loading import quickly
        with quickly():
            from paramiko.config import SSHConfig
            print(gc.isenabled())
        print(gc.isenabled(), "run" in vars(sys.modules["invoke"]))
        print({SSH_CONFIG}.lookup("x")["port"], "run" in vars(sys.modules["invoke"]))
        """
    )
    assert told.splitlines() == ["False", "True False", "7 True"]


def test_what_is_loaded_late_is_no_other_module() -> None:
    told = said(
        """
        import sys
        from importlib.util import find_spec
        from roles.run.loading import quickly
        with quickly():
            import invoke
        import invoke.exceptions
        print(find_spec("invoke").name, invoke.exceptions.Exit.__name__)
        print(hasattr(invoke, "no_such"), invoke.run.__name__, hasattr(invoke, "no_such"))
        import invoke as again
        print(again.exceptions.Exit is invoke.Exit)
        """
    )
    assert told.splitlines() == ["invoke Exit", "False run False", "True"]


@pytest.mark.parametrize("failing", [True, False])
def test_garbage_is_looked_for_again_after_all(failing: bool) -> None:
    told = said(
        f"""
        import gc
        from roles.run.loading import quickly
        try:
            with quickly():
                {"raise ImportError" if failing else "import json"}
        except ImportError:
            print("failed")
        print(gc.isenabled())
        """
    )
    assert told.splitlines() == [*(["failed"] if failing else []), "True"]
