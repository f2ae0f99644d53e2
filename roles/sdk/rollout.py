"""The caller's container runs or it does not: there is nothing to drain, nothing to prove."""

from __future__ import annotations

from roles.container.rollout import Rollout
from roles.sdk.plan import ROLE, container

ROLLOUT = Rollout(ROLE, container)
