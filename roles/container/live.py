"""What a container really is, in the words of the spec: `docker inspect`, less the image's own.

Pure. A field that this Docker's `inspect` does not have is left out, and then not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from roles.container.foreign_options import foreign_options
from roles.container.options import (
    GAINS_NO_PRIVILEGES,
    NO_HEALTH,
    OWN_LABELS,
    bare_capability,
)
from roles.container.spec import SWAP_FACTOR, digest

MIB = 1024 * 1024
NANO = 1_000_000_000
UNLIMITED = (None, 0, -1)
"""Docker 20.10 tells an absent limit as null, or as 0 after an update; older ones as -1."""
Fields = dict[str, Any]
_TELLS_ALL = "NanoCpus"
"""Since Docker 1.13, as all that `inspect` leaves out where it is not set."""


def found(inspect: Mapping[str, Any], image: Mapping[str, Any] | None) -> Fields:
    """Return the fields of a container in the form of `ContainerSpec.applied`.

    `image` is the `Config` of the image that it was made from; None where that is not known: what
    could be the image's own is then left out.
    """
    config, host = _part(inspect, "Config"), _part(inspect, "HostConfig")
    fields: Fields = {}
    if "Image" in inspect:
        fields["image_id"] = inspect["Image"]
    if "Image" in config:
        fields["image"] = config["Image"]
    if "Env" in config:
        fields["environment"] = _digests(config)
    if image is not None:
        fields |= _of_config(config)
        if _TELLS_ALL in host:
            fields["health"] = _health(config)
        fields = less(fields, image)
    if _TELLS_ALL in host:
        fields["stop_timeout_s"] = config.get("StopTimeout")
        fields["tmpfs"] = _tmpfs(host)
        fields["options"] = foreign_options(inspect, image)
    fields |= _of_host(host, config, image)
    networks = _part(inspect, "NetworkSettings").get("Networks")
    if networks is not None:
        fields["networks"] = sorted(networks)
    return fields


def less(fields: Mapping[str, Any], image: Mapping[str, Any]) -> Fields:
    """Return fields without what the image says itself: said again, it makes no difference."""
    own = {**_of_config(image), "environment": _digests(image), "health": _health(image)}
    left = dict(fields)
    for key in ("environment", "labels"):
        if isinstance(left.get(key), Mapping):
            left[key] = {n: v for n, v in left[key].items() if own[key].get(n) != v}
    # An entrypoint that is said, be it the image's, takes the image's command away.
    has_command = left.get("command") is not None or own["command"] is None
    own_keys = ("user", "health", *(["entrypoint"] if has_command else []))
    for key in own_keys:
        if key in left and left[key] == own[key]:
            left[key] = None
    is_repeated = "command" in left and left["command"] == own["command"]
    if is_repeated and left.get("entrypoint") is None:
        left["command"] = None
    return left


def _part(inspect: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = inspect.get(name) or {}
    return part


def _digests(config: Mapping[str, Any]) -> dict[str, str]:
    lines = (line.partition("=") for line in config.get("Env") or ())
    return {name: digest(value) for name, _, value in lines}


def _of_config(config: Mapping[str, Any]) -> Fields:
    labels = config.get("Labels") or {}
    return {
        "entrypoint": config.get("Entrypoint") or None,
        "command": config.get("Cmd") or None,
        "user": config.get("User") or None,
        "labels": {name: labels[name] for name in labels if not name.startswith(OWN_LABELS)},
    }


def _health(config: Mapping[str, Any]) -> str | Fields | None:
    check = config.get("Healthcheck") or {}
    kind, *words = check.get("Test") or [None]
    if kind is None:
        return None
    if kind == "NONE":
        return NO_HEALTH
    return {
        "command": words[0] if kind == "CMD-SHELL" and words else words,
        "interval_s": check.get("Interval", 0) / NANO,
        "timeout_s": check.get("Timeout", 0) / NANO,
        "retries": check.get("Retries", 0),
        "start_period_s": check.get("StartPeriod", 0) / NANO,
    }


def _of_host(
    host: Mapping[str, Any], config: Mapping[str, Any], image: Mapping[str, Any] | None
) -> Fields:
    fields: Fields = {
        field: read(host[key]) for key, (field, read) in _HOST_FIELDS.items() if key in host
    }
    if "Binds" in host:
        fields["volumes"] = _volumes(host, config, image)
    if "Memory" in host:
        fields |= _memory(host["Memory"], host.get("MemorySwap"))
    if "LogConfig" in host:
        fields["log_driver"] = host["LogConfig"].get("Type")
        fields["log_options"] = dict(host["LogConfig"].get("Config") or {})
    return fields


def _volumes(
    host: Mapping[str, Any], config: Mapping[str, Any], image: Mapping[str, Any] | None
) -> list[str]:
    """Those that somebody asked for: by -v, by --mount, and nameless ones beside the image's."""
    binds = [_bind(bind) for bind in host["Binds"] or ()]
    mounts = [
        f"{m.get('Source', '')}:{m.get('Target', '')}" + (":ro" if m.get("ReadOnly") else "")
        for m in host.get("Mounts") or ()
        if m.get("Type") != "tmpfs"
    ]
    places = {volume.split(":")[1] for volume in (*binds, *mounts)}
    own = (image.get("Volumes") or {}) if image is not None else config.get("Volumes") or {}
    nameless = (config.get("Volumes") or {}).keys() - own.keys() - places
    return sorted([*binds, *mounts, *nameless])


def _tmpfs(host: Mapping[str, Any]) -> dict[str, str]:
    """Those by --tmpfs, and those by --mount."""
    mounts = {m.get("Target", ""): "" for m in host.get("Mounts") or () if m.get("Type") == "tmpfs"}
    return {**mounts, **(host.get("Tmpfs") or {})}


def _bind(bind: str) -> str:
    volume, _, mode = bind.rpartition(":")
    if "/" in mode:  # the container's path: no mode is said
        return bind
    left = [word for word in mode.split(",") if word != "rw"]
    return ":".join([volume, *([",".join(left)] if left else [])])


def _ports(bindings: Mapping[str, Any] | None) -> list[str]:
    ports = []
    for inside, places in (bindings or {}).items():
        for place in places or ():
            address, port = place.get("HostIp") or "", place.get("HostPort") or ""
            side = f"[{address}]" if ":" in address else address
            ports.append(f"{side}:{port}:{inside.removesuffix('/tcp')}".lstrip(":"))
    return sorted(ports)


def _restart(policy: Mapping[str, Any]) -> str:
    name, most = policy.get("Name") or "no", policy.get("MaximumRetryCount")
    return f"{name}:{most}" if name == "on-failure" and most else name


def _capabilities(names: Iterable[str] | None) -> list[str]:
    return sorted(bare_capability(name) for name in names or ())


def _no_new_privileges(options: Iterable[str] | None) -> bool:
    return any(option in GAINS_NO_PRIVILEGES for option in options or ())


def _memory(limit: int | None, both: int | None) -> Fields:
    """Kernels that don't count swap have Docker tell -1: nothing can be said of it there."""
    memory_mb = _mib(limit) if limit else None
    if both == -1:
        return {"memory_mb": memory_mb}
    both = both or (limit or 0) * SWAP_FACTOR
    return {"memory_mb": memory_mb, "memory_swap_mb": _mib(both) if both else None}


def _mib(size_bytes: int) -> int | float:
    return size_bytes // MIB if size_bytes % MIB == 0 else round(size_bytes / MIB, 3)


def _ulimits(limits: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    return {limit["Name"]: f"{limit['Soft']}:{limit['Hard']}" for limit in limits or ()}


def _cpus(nano: int | None) -> float | None:
    return nano / NANO if nano else None


def _pids(most: int | None) -> int | None:
    return None if most in UNLIMITED else most


_HOST_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "PortBindings": ("publish", _ports),
    "RestartPolicy": ("restart", _restart),
    "ReadonlyRootfs": ("read_only", bool),
    "Privileged": ("privileged", bool),
    "CapAdd": ("cap_add", _capabilities),
    "CapDrop": ("cap_drop", _capabilities),
    "SecurityOpt": ("no_new_privileges", _no_new_privileges),
    "NanoCpus": ("cpus", _cpus),
    "PidsLimit": ("pids", _pids),
    "Ulimits": ("ulimits", _ulimits),
}
"""The key in `HostConfig`, its field, and how the one is read as the other."""
