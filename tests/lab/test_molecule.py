"""The Molecule scenarios of the role that stands alone: it converges, and then changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROLE = Path(__file__).parents[2] / "roles" / "docker_engine"
SCENARIOS = [
    "debian-12",
    pytest.param("debian-13", marks=pytest.mark.full),
    pytest.param("rpm", marks=pytest.mark.full),
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_docker_engine(scenario: str) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    run = subprocess.run(
        [scripts / "molecule", "test", "--scenario-name", scenario],
        cwd=ROLE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
