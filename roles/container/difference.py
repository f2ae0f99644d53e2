"""Three things compared: what is wanted, what was last applied, and what is live. Pure.

What is live decides *whether* something differs; what was last applied, by the container's label,
tells *why*: the wish has changed, or somebody has changed the container by hand.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from roles.container import live
from roles.container.commands import IN_PLACE
from roles.container.spec import SPEC_LABEL, TO_BE_BUILT, ContainerSpec
from roles.observed import Container
from roles.run.changes import Gap, Origin

BY_NAME = {
    "environment": "env",
    "labels": "label",
    "tmpfs": "tmpfs",
    "ulimits": "ulimit",
    "log_options": "log option",
    "options": "option",
}
"""The fields that hold named values, each compared by itself; and what one is called."""
ENGINES_TOO = ("ulimits", "log_options")
"""Those that the engine adds its own defaults to (`daemon.json`): only named ones are compared."""
PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"})
"""Docker's client adds these, in both cases, where the host's ~/.docker/config.json has proxies."""
IMAGES_OWN = ("entrypoint", "command", "health")
"""Where None means what the image says."""
UNKNOWN: Any = object()


@dataclass(frozen=True)
class Difference:
    """One thing of a container that is not as it is wanted; str() says it in words.

    `found` and `wanted` are in the form of `ContainerSpec.applied`; of variables that may be
    secret, they are digests.
    """

    field: str
    """Of `ContainerSpec.applied`; or `options`, those of `docker run` that no spec sets."""
    found: Any
    wanted: Any
    by_hand: bool
    """Somebody has changed it since it was last applied."""
    wish_changed: bool = True
    """The data has changed since it was last applied."""
    name: str | None = None
    """Which one of the field's values."""
    is_masked: bool = False

    def __str__(self) -> str:
        suffix = {
            (True, False): " (changed by hand)",
            (True, True): " (changed by hand, and in the data)",
        }.get((self.by_hand, self.wish_changed), "")
        return f"{self._subject}: {self._change}{suffix}"

    @property
    def is_in_place(self) -> bool:
        """Whether `docker update` can mend it while the container runs on, without a risk to it.

        To take a limit on memory or CPUs away is more than it can. And a limit on memory is never
        lowered under what runs: the kernel could kill it.
        """
        if self.field not in IN_PLACE:
            return False
        if self.wanted is None:
            return self.field == "pids"
        if self.field == "memory_mb":
            return self.found is None or self.wanted > self.found
        return True

    @property
    def origin(self) -> Origin:
        if self.by_hand:
            return "by hand, and not yet deployed" if self.wish_changed else "by hand"
        return "not yet deployed"

    def gap(self, container: str) -> Gap:
        """The same as a thing that differs of a container."""
        path = ".".join([container, self.field, *([self.name] if self.name else [])])
        if self.wanted == TO_BE_BUILT:
            return Gap(path, TO_BE_BUILT, "another image", self.origin)
        if self.is_masked:
            told = {True: "not set", False: "a value that is not shown"}
            wanted, found = told[self.wanted is None], told[self.found is None]
            if self.found is not None and self.wanted is not None:
                found = "another value"
            return Gap(path, wanted, found, self.origin)
        wanted, found = (_shown(self.field, value) for value in (self.wanted, self.found))
        return Gap(path, wanted, found, self.origin)

    @property
    def _subject(self) -> str:
        if self.name is not None:
            return f"{BY_NAME[self.field]} {self.name}"
        if self.field == "image_id":
            return "image" if self.wanted == TO_BE_BUILT else "image ID"
        return self.field

    @property
    def _change(self) -> str:
        if self.wanted == TO_BE_BUILT:
            return TO_BE_BUILT
        if self.is_masked:
            words = {(True, False): "added", (False, True): "removed"}
            return words.get((self.found is None, self.wanted is None), "changed")
        return f"{_shown(self.field, self.found)} -> {_shown(self.field, self.wanted)}"


def differences(spec: ContainerSpec, container: Container) -> list[Difference]:
    """Return everything of a container of ours that is not as is wanted, image first.

    A field that neither its `inspect` nor its label tells is taken to be as wanted.
    """
    applied = last_applied(container)
    if applied is None:
        return [Difference(f"label {SPEC_LABEL}", "unreadable", "a record", True, False)]
    image = container.image_config
    now = live.found(container.inspect or {}, image)
    applied, wanted = ({**of, "options": {}} for of in (applied, spec.applied))  # we set none
    if image is not None:
        applied, wanted = live.less(applied, image), live.less(wanted, image)
    found = list(_image(spec, now, applied))
    for field in wanted.keys() - {"image", "image_id"}:
        before, is_now = applied.get(field, UNKNOWN), now.get(field, UNKNOWN)
        if field in BY_NAME:
            found += _named(field, wanted[field], before, is_now, image is not None)
        else:
            found += _compared(field, wanted[field], before, is_now)
    order = list(wanted)
    found.sort(key=lambda difference: (order.index(difference.field), difference.name or ""))
    return [_revealed(spec, container, difference) for difference in found]


def last_applied(container: Container) -> dict[str, Any] | None:
    """What the container's label says; None where that can't be read.

    A label can't be changed: what was updated in place since then stands in a record of its own.
    """
    try:
        applied = dict(json.loads(container.labels[SPEC_LABEL]))
    except (KeyError, ValueError, TypeError):
        return None
    applied |= {key: value for key, value in container.updated.items() if key in IN_PLACE}
    for field in BY_NAME:
        if not isinstance(applied.get(field), Mapping):
            applied.pop(field, None)
    return {key: sorted(v) if _is_set(key, v) else v for key, v in applied.items()}


def _is_set(field: str, value: Any) -> bool:
    is_words = isinstance(value, list) and all(isinstance(word, str) for word in value)
    return is_words and field not in ("entrypoint", "command")


def _image(
    spec: ContainerSpec, now: Mapping[str, Any], applied: Mapping[str, Any]
) -> Iterator[Difference]:
    """Compare by ID; a tag only where an ID is not known."""
    tags = [of.get("image") for of in (now, applied)]
    tag = next((tag for tag in tags if tag), None)
    by_id = spec.image_id is not None and now.get("image_id") is not None
    if by_id and spec.image_id == now["image_id"]:
        return
    if tag != spec.image:
        yield from _compared("image", spec.image, tags[1] or UNKNOWN, tags[0] or UNKNOWN)
    elif by_id:
        before = applied.get("image_id") or UNKNOWN
        yield from _compared("image_id", spec.image_id, before, now["image_id"])


def _compared(
    field: str, wanted: Any, before: Any, is_now: Any, name: str | None = None
) -> Iterator[Difference]:
    current = before if is_now is UNKNOWN else is_now
    if current is UNKNOWN or current == wanted:
        return
    is_recorded = before is not UNKNOWN
    wish_changed = not is_recorded or wanted != before
    by_hand = is_recorded and is_now is not UNKNOWN and is_now != before
    yield Difference(field, current, wanted, by_hand, wish_changed, name)


def _named(
    field: str, wanted: Mapping[str, Any], before: Any, is_now: Any, is_image_known: bool
) -> Iterator[Difference]:
    recorded: Collection[str] = () if before is UNKNOWN else before
    names = {*wanted, *recorded}
    is_whole = is_image_known or field == "options"
    if is_now is not UNKNOWN and is_whole and field not in ENGINES_TOO:
        names |= {name for name in is_now if not _is_clients(field, name)}
    for name in sorted(names):
        was, is_there = (of if of is UNKNOWN else of.get(name) for of in (before, is_now))
        yield from _compared(field, wanted.get(name), was, is_there, name)


def _is_clients(field: str, name: str) -> bool:
    return field == "environment" and name.lower() in PROXY_VARIABLES


def _revealed(spec: ContainerSpec, container: Container, found: Difference) -> Difference:
    """Show the values of variables that Dockyard sets itself; mask all others."""
    if found.field != "environment" or found.name is None:
        return found
    values = (container.environment.get(found.name), spec.environment.get(found.name))
    is_told = found.name in spec.told
    before, wanted = values if is_told else (found.found, found.wanted)
    return replace(found, found=before, wanted=wanted, is_masked=not is_told)


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "the image's own" if field in IMAGES_OWN else "none"
    if field == "image_id":
        return str(value).removeprefix("sha256:")[:12]
    if field == "health" and isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return _plain(value, "," if field not in ("entrypoint", "command") else " ")


def _plain(value: Any, between: str = " ") -> str:
    if isinstance(value, list):
        words = map(shlex.quote, value) if between == " " else value
        return between.join(words) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "''"
