"""A record: what one host was to run in one release, enough to plan that again. Pure.

A record may hold secrets. It goes to a host by stdin, into a file that root alone reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from roles.observed import Release, ReleasedPart
from roles.observed.releases import release
from roles.run.model import Data
from roles.run.wanted import Wanted

VERSION = 1
KEPT = 3
"""How many releases a host keeps at least."""
NAME = "%Y-%m-%dT%H:%M:%SZ"
OF_A_RUN = {
    "access",
    "rollout",
    "action",
    "drain",
    "host_list",
    "logs",
    "purge",
    "release",
    "unpin",
    "verify_report",
}
"""What is said of one run, and is no part of what a host is to be."""


class Unreadable(Exception):
    """A record can't be used; the text says why, and holds no value of it."""


class RecordedPart(Data):
    digest: str
    image: str
    image_id: str


class Record(Data):
    version: int
    name: str
    by: str
    parts: dict[str, RecordedPart]
    wanted: Wanted

    @property
    def release(self) -> Release:
        parts = {role: ReleasedPart(**part.model_dump()) for role, part in self.parts.items()}
        return Release(self.name, self.by, parts)

    @property
    def text(self) -> str:
        """JSON of two lines: the first holds no secret."""
        told = self.model_dump(mode="json", exclude={"wanted": OF_A_RUN})
        wanted = told.pop("wanted")
        return f'{json.dumps(told)[:-1]},\n"wanted": {json.dumps(wanted)}}}\n'

    def renamed(self, name: str, by: str) -> Record:
        """The same state of the host as part of another release."""
        return self.model_copy(update={"name": name, "by": by})


def record(name: str, by: str, parts: Mapping[str, ReleasedPart], wanted: Wanted) -> Record:
    released = {
        role: RecordedPart(digest=part.digest, image=part.image, image_id=part.image_id)
        for role, part in parts.items()
    }
    return Record(version=VERSION, name=name, by=by, parts=released, wanted=wanted)


def read(text: str) -> Record:
    """Raises Unreadable."""
    try:
        told = json.loads(text)
        version = told["version"]
        release(told)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable("is spoilt") from None
    if version != VERSION:
        raise Unreadable(f"has the form {version!r:.20}, and this Dockyard reads {VERSION} alone")
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        keys = {".".join(map(str, details["loc"])) for details in error.errors()}
        raise Unreadable(f"says what this Dockyard does not know: {', '.join(keys)}") from None


def new_name(now: datetime, known: Iterable[str]) -> str:
    """Name a release by the time, and after all that are known: a clock may have been put back."""
    latest = max(known, default="")
    name = now.astimezone(UTC).strftime(NAME)
    if name > latest:
        return name
    return (datetime.strptime(latest, NAME) + timedelta(seconds=1)).strftime(NAME)


def kept(names: Iterable[str], current: str, before: str | None) -> list[str]:
    """Of a host's releases those that it keeps, when `current` is what it runs.

    Also the one that it ran `before`: after a rollback that may be older than those rolled back.
    """
    last = sorted({*names, current})[-KEPT:]
    return sorted({*last, current, *({before} & {*names} if before else ())})
