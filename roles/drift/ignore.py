"""Findings that are known and borne for a while: each rule says why, and until when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, Field

from roles.drift.model import Finding
from roles.run.model import Data


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"expected a day such as '2027-01-31', found '{value}'") from None
    return value


class IgnoreRule(Data):
    """What is ignored; `*` in `host`, `role` and `path` stands for anything."""

    path: Annotated[str, Field(min_length=1)]
    host: str = "*"
    role: str = "*"
    reason: Annotated[str, Field(min_length=1)]
    until: Annotated[str, AfterValidator(_day)]
    """The last day on which it is ignored, in UTC."""

    def fits(self, finding: Finding) -> bool:
        """Whether it is about this; what is no single host's, is of the host `-`."""
        return (
            fnmatchcase(finding.host or "-", self.host)
            and fnmatchcase(finding.role, self.role)
            and fnmatchcase(finding.path, self.path)
        )

    def has_ended(self, today: date) -> bool:
        return date.fromisoformat(self.until) < today


def ignored(
    findings: Iterable[Finding], rules: Sequence[IgnoreRule], today: date
) -> tuple[list[Finding], list[str]]:
    """Mark what a rule is about; tell of rules that are over, though what they ignore is not."""
    marked: list[Finding] = []
    over: dict[IgnoreRule, None] = {}
    for finding in findings:
        fitting = [rule for rule in rules if rule.fits(finding)]
        standing = [rule for rule in fitting if not rule.has_ended(today)]
        over.update(dict.fromkeys(fitting if not standing else ()))
        why = f"{standing[0].reason} (until {standing[0].until})" if standing else None
        marked.append(replace(finding, ignored=why))
    told = [f"drift.ignore: the rule for {rule.path} ended on {rule.until}" for rule in over]
    return marked, told
