"""The values that Docker's options take, as the user may write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from roles.run.model import AbsolutePath, Data, Seconds, Word

NO_HEALTH = "none"
"""The health check that switches the image's own off."""
OWN_LABELS = "dockyard."
GAINS_NO_PRIVILEGES = (
    "no-new-privileges",
    "no-new-privileges:true",
    "no-new-privileges=true",
)
"""How `--security-opt` can say it."""
ULIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice"),
    *("nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
)
CPU_DECIMALS = 3
SECRETIVE = re.compile(r"token|password|secret|credential", re.IGNORECASE)

_NETWORK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_RESTART = re.compile(r"no|always|unless-stopped|on-failure(:[1-9]\d*)?")
_CAPABILITY = re.compile(r"ALL|(CAP_)?[A-Z][A-Z_]*")
_ULIMIT = re.compile(r"(-1|\d+)(:(-1|\d+))?")
_VOLUME_HOST = re.compile(r"/[^:]*|[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_TMPFS = re.compile(r"([a-z]+(=[\w%.]+)?(,[a-z]+(=[\w%.]+)?)*)?")
_NAME = re.compile(r"[A-Za-z0-9][\w./-]*")


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"expected {expected}, found '{value}'")
        return value

    return check


def _network(value: str) -> str:
    if not _NETWORK.fullmatch(value) or value in ("none", "default"):
        raise ValueError(
            f"expected 'bridge', 'host', or the name of a network of the host, found '{value}'"
        )
    return value


def _environment(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not name.isidentifier():
            raise ValueError(f"'{name}' is no name of an environment variable")
        if any(c in value for c in "\n\r\0"):
            raise ValueError(f"the value of '{name}' has a line break, which Docker can't pass on")
    return values


def _owner(value: str) -> str:
    user, _, group = value.partition(":")
    if not (user.isdecimal() and group.isdecimal()):
        raise ValueError(f"expected 'UID:GID' in numbers, found '{value}'")
    return value


def _argument(value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"expected printable signs alone, found {value!r}")
    return value


def _program(value: str) -> str:
    if not value or value.startswith("-"):
        raise ValueError(f"expected a program that does not start with '-', found '{value}'")
    return _argument(value)


def _labels(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if name.startswith(OWN_LABELS):
            raise ValueError(f"'{name}': labels that start with '{OWN_LABELS}' are Dockyard's own")
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is no name of a label")
        _argument(value)
    return values


def _volume(value: str) -> str:
    """Normalise Docker's notation: `rw` is its default."""
    host, _, rest = value.partition(":")
    inside, _, mode = rest.partition(":")
    if not _VOLUME_HOST.fullmatch(host) or mode not in ("", "ro", "rw") or not inside:
        raise ValueError(
            "expected 'HOST_PATH:CONTAINER_PATH' or 'VOLUME_NAME:CONTAINER_PATH', with ':ro' "
            f"where it is read only, found '{value}'"
        )
    paths = [path for path in (host, inside) if path == inside or path.startswith("/")]
    for path in paths:
        if not path.startswith("/") or "/../" in f"{path}/" or not path.isprintable():
            raise ValueError(f"expected absolute paths without '..', found '{value}'")
    host = host if host == "/" else host.rstrip("/")
    return f"{host}:{inside.rstrip('/')}" + (":ro" if mode == "ro" else "")


def _ulimits(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if name not in ULIMITS:
            known = ", ".join(ULIMITS)
            raise ValueError(f"'{name}' is no ulimit; expected one of: {known}")
        if not _ULIMIT.fullmatch(value):
            raise ValueError(f"{name}: expected 'SOFT:HARD' or one number, found '{value}'")
        soft, _, hard = value.partition(":")
        if hard and hard != "-1" and (soft == "-1" or int(soft) > int(hard)):
            raise ValueError(f"{name}: the soft limit is above the hard one, found '{value}'")
    return {name: value if ":" in value else f"{value}:{value}" for name, value in values.items()}


def _tmpfs(values: dict[str, str]) -> dict[str, str]:
    for path, options in values.items():
        if not _TMPFS.fullmatch(options):
            raise ValueError(
                f"{path}: expected options as 'size=16m,mode=1777' or '', found '{options}'"
            )
    return values


def _log_options(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is no name of a log option")
        if SECRETIVE.search(name):
            raise ValueError(
                f"found '{name}', which would stand in the host's process list; give it to the "
                "engine itself, in docker_engine.config.log-opts"
            )
        _argument(value)
    return values


def _cpus(value: float) -> float:
    if round(value, CPU_DECIMALS) != value:
        raise ValueError(f"expected at most {CPU_DECIMALS} decimals, found {value}")
    return value


def bare_capability(name: str) -> str:
    """Name a capability as Docker's documentation does: without `CAP_`."""
    return name.upper().removeprefix("CAP_")


class Health(Data):
    """A health check in the place of the image's own. Every value is told to Docker."""

    command: Annotated[str, Field(min_length=1), AfterValidator(_argument)]
    """Run by the container's shell; `none` switches the image's check off."""
    interval_s: Seconds = 30
    timeout_s: Seconds = 30
    retries: Annotated[int, Field(ge=1)] = 3
    start_period_s: Seconds = 1
    """How long a failure does not count. Docker takes 0 for "as the image says"."""

    @property
    def applied(self) -> str | dict[str, Any]:
        return NO_HEALTH if self.command == NO_HEALTH else self.model_dump()


def _health(value: Any) -> Any:
    if isinstance(value, str) and value != NO_HEALTH:
        raise ValueError(f"expected '{NO_HEALTH}', or a dict with a 'command', found '{value}'")
    return {"command": NO_HEALTH} if value == NO_HEALTH else value


ContainerName = Annotated[
    Word,
    AfterValidator(_matching(_CONTAINER, "letters, digits, '_', '.' and '-', at least two")),
]
Network = Annotated[str, AfterValidator(_network)]
Environment = Annotated[dict[str, str], AfterValidator(_environment)]
Owner = Annotated[str, AfterValidator(_owner)]
Cpus = Annotated[float, Field(ge=0.01), AfterValidator(_cpus)]
Restart = Annotated[
    str,
    AfterValidator(
        _matching(_RESTART, "'no', 'always', 'unless-stopped', 'on-failure' or 'on-failure:N'")
    ),
]
Program = Annotated[str, AfterValidator(_program)]
Arguments = Annotated[list[Annotated[str, AfterValidator(_argument)]], Field(min_length=1)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
Volumes = list[Annotated[str, AfterValidator(_volume)]]
Capabilities = list[
    Annotated[
        str,
        AfterValidator(_matching(_CAPABILITY, "a capability as 'NET_BIND_SERVICE', or 'ALL'")),
        AfterValidator(bare_capability),
    ]
]
Ulimits = Annotated[dict[str, str], AfterValidator(_ulimits)]
Tmpfs = Annotated[dict[AbsolutePath, str], AfterValidator(_tmpfs)]
LogOptions = Annotated[dict[str, str], AfterValidator(_log_options)]
LogDriver = Annotated[str, AfterValidator(_matching(_NAME, "the name of a log driver"))]
HealthOrNone = Annotated[Health | None, BeforeValidator(_health)]

DEFAULT_LOG_OPTIONS: Mapping[str, str] = {"max-size": "10m", "max-file": "3"}
"""Without a bound, one container that talks fills the disk."""
BOUNDED_LOG_DRIVERS = ("json-file", "local")
"""Those that know these options."""
