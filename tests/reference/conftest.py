"""Makes the images' packages importable as they are in the images."""

import sys
from pathlib import Path

import pytest

from tests.reference.fake_registry import FakeRegistry

# Nothing may be written into the build contexts: it would make other images of them.
sys.dont_write_bytecode = True

FILES = Path(__file__).parents[2] / "files"
for context in ("sayhello-service-engine", "osp-proxy", "osp-sdk"):
    sys.path.insert(0, str(FILES / context))


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    """Stand in for every registry that the code under test connects to, with short intervals."""
    from osp_common import registry as module

    fake = FakeRegistry()
    monkeypatch.setattr(module, "KazooClient", fake.connect)
    monkeypatch.setattr(module, "VERIFY_INTERVAL_S", 0.05)
    monkeypatch.setattr(module, "REOPEN_INTERVAL_S", 0.02)
    return fake
