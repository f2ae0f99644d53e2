"""What is wanted of one host: its merged data, validated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, ValidationError, ValidationInfo, field_validator
from pyinfra.api import Host
from pyinfra.api.arguments import auth_argument_meta
from pyinfra.connectors.ssh import connector_data_meta

from roles.access.spec import AccessSpec
from roles.container.part import PartSpec
from roles.docker_engine.spec import DockerEngineSpec
from roles.drift.spec import DriftSpec
from roles.host_check.spec import HostCheckSpec
from roles.host_setup.spec import HostSetupSpec
from roles.images.spec import ImagesSpec
from roles.maintenance.spec import DrainWish, LogsWish
from roles.proxy.spec import ProxySpec
from roles.registry.spec import RegistrySpec
from roles.run.address import is_address, wish
from roles.run.merge import DataError, merged_data
from roles.run.model import Data
from roles.run.pace import Pace
from roles.run.problems import Problem
from roles.sdk.spec import SdkSpec
from roles.soa_engine.spec import SoaEngineSpec

ROLE_OF_GROUP = {"registry": "registry", "engine": "soa_engine", "proxy": "proxy", "sdk": "sdk"}
"""Which part the hosts of a group run."""

PYINFRA_KEYS = frozenset(
    {*connector_data_meta, *auth_argument_meta, "_shell_executable", "_temp_dir"}
)
"""What pyinfra itself reads from host data: how to connect, and who runs commands there.

Not its other global arguments: `_retries` or `_ignore_errors` would go on past a failed step.
"""


def _wish(value: str) -> str:
    wish(value)
    return value


def _release(value: str) -> str:
    if value != LIST and not _RELEASE.fullmatch(value):
        raise ValueError(
            f"expected a release's name such as '2026-01-31T10:15:30Z', or '{LIST}', "
            f"found '{value}'"
        )
    return value


LIST = "list"
_RELEASE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ReleaseName = Annotated[str, AfterValidator(_release)]


class Wanted(Data):
    """Everything that group_data, the inventory and `--data` may say of a host."""

    access: AccessSpec = AccessSpec()
    """How deploy/bootstrap.py first logs in to a host that does not know us yet."""
    export_ip: Annotated[str, AfterValidator(_wish)] = "auto"
    """`auto`, an address, an interface, or a network that the address is in."""
    export_ip_nat: bool = False
    """Whether `export_ip` may be on no interface: a router translates it."""
    rollout: Pace = Pace()
    action: Literal["status", "start", "stop", "restart"] | None = None
    """What deploy/service.py is asked for, by --data."""
    drain: DrainWish | None = None
    """What deploy/drain.py is asked for, by --data."""
    release: ReleaseName | None = None
    """Which release deploy/rollback.py goes back to; `list` tells them all."""
    unpin: bool = False
    """Whether deploy/soa.py may bring back what was rolled back."""
    docker_engine: DockerEngineSpec = DockerEngineSpec()
    drift: DriftSpec = DriftSpec()
    host_check: HostCheckSpec = HostCheckSpec()
    host_setup: HostSetupSpec = HostSetupSpec()
    verify_report: str | None = None
    """Where deploy/verify.py writes its report."""
    images: ImagesSpec = ImagesSpec()
    logs: LogsWish | None = None
    """What deploy/logs.py is asked for, by --data."""
    host_list: str | None = None
    """Which YAML list deploy/retire.py takes hosts out of; None: that beside the inventory."""
    purge: bool | None = None
    """Whether deploy/retire.py takes the data and logs of the parts away, too."""
    registry: RegistrySpec = RegistrySpec()
    soa_engine: SoaEngineSpec | None = None
    proxy: ProxySpec | None = None
    sdk: SdkSpec | None = None

    @field_validator("export_ip_nat")
    @classmethod
    def _only_with_an_address(cls, nat: bool, info: ValidationInfo) -> bool:
        asked = info.data.get("export_ip")
        if nat and asked and not is_address(asked):
            raise ValueError(
                "says that a router translates the address of export_ip; "
                f"expected an address there, found '{asked}'"
            )
        return nat

    def part(self, role: str) -> PartSpec | None:
        if role == "registry":
            return self.registry.server
        part: PartSpec | None = getattr(self, role)
        return part


def validated(host: Host) -> tuple[Wanted | None, list[Problem]]:
    """Return what is wanted of a host, or every problem of its data."""
    try:
        merged = merged_data(host)
    except DataError as error:
        return None, [Problem(host.name, error.key, error.text)]
    data = {key: value for key, value in merged.items() if key not in PYINFRA_KEYS}
    runs = {role for group, role in ROLE_OF_GROUP.items() if group in host.groups}
    try:
        wanted = Wanted.model_validate(_without_fragments(data, runs))
    except ValidationError as error:
        return None, [problem_of(host.name, dict(d), Wanted) for d in error.errors()]
    missing = [
        Problem(
            host.name,
            role,
            f"the host is in the group '{group}', but nothing says what that part is; "
            f"expected a dict '{role}' in group_data/{group}.py",
        )
        for group, role in ROLE_OF_GROUP.items()
        if role in runs and wanted.part(role) is None
    ]
    return (None, missing) if missing else (wanted, [])


def _without_fragments(data: dict[str, Any], runs: set[str]) -> dict[str, Any]:
    """Leave out what is said in part of parts that the host does not run.

    Data for all hosts may set one key of a part; the rest of it stands in the part's own group.
    What is said must be right all the same.
    """
    try:
        Wanted.model_validate(data)
    except ValidationError as error:
        fragments = {str(d["loc"][0]) for d in error.errors() if d["type"] == "missing"}
        wrong = {str(d["loc"][0]) for d in error.errors() if d["type"] != "missing"}
        kept = {key: data[key] for key in data if key not in fragments - runs - wrong}
        if "registry" in data and "registry" not in kept:
            kept["registry"] = {k: v for k, v in data["registry"].items() if k != "server"}
        return kept
    return data


def problem_of(host: str, details: Mapping[str, Any], model: type[Data]) -> Problem:
    """Say what pydantic found in a host's data, which is to be a `model`."""
    location: tuple[str | int, ...] = details["loc"]
    key = ".".join(str(step) for step in location)
    if details["type"] == "extra_forbidden":
        known = ", ".join(sorted(_known_keys(location[:-1], model)))
        return Problem(host, key, f"unknown key; expected one of: {known}")
    message = details["msg"].removeprefix("Value error, ")
    found = "" if "found" in message else f", found {details['input']!r:.80}"
    if "environment" in location:
        found = ""  # its values may be secret
    if details["type"] == "missing":
        found = "; set it in group_data or in the inventory"
    return Problem(host, key, f"{message[0].lower()}{message[1:]}{found}")


def _known_keys(location: tuple[str | int, ...], model: Any) -> list[str]:
    for step in location:
        if isinstance(step, str):  # a number is a place in a list
            annotation = model.model_fields[step].annotation
            model = next(o for o in _within(annotation) if issubclass(o, Data))
    return list(model.model_fields)


def _within(annotation: Any) -> Iterator[type]:
    """The types that an annotation is made of: `list[X] | None` has X."""
    if arguments := get_args(annotation):
        for argument in arguments:
            yield from _within(argument)
    elif isinstance(annotation, type):
        yield annotation
