"""The options of `docker run` that Dockyard sets on no container, and somebody may have. Pure.

Left out is what an engine decides by its own configuration, since it can't be told from an option:
`--runtime`, `--shm-size`, `--cgroupns`, and `--ipc` as far as that goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from roles.container.options import GAINS_NO_PRIVILEGES
from roles.container.spec import digest

_OPTION = {
    "Annotations": "annotation",
    "AutoRemove": "rm",
    "BlkioDeviceReadBps": "device-read-bps",
    "BlkioDeviceReadIOps": "device-read-iops",
    "BlkioDeviceWriteBps": "device-write-bps",
    "BlkioDeviceWriteIOps": "device-write-iops",
    "BlkioWeight": "blkio-weight",
    "BlkioWeightDevice": "blkio-weight-device",
    "CgroupParent": "cgroup-parent",
    "CpuPeriod": "cpu-period",
    "CpuQuota": "cpu-quota",
    "CpuRealtimePeriod": "cpu-rt-period",
    "CpuRealtimeRuntime": "cpu-rt-runtime",
    "CpuShares": "cpu-shares",
    "CpusetCpus": "cpuset-cpus",
    "CpusetMems": "cpuset-mems",
    "DeviceCgroupRules": "device-cgroup-rule",
    "DeviceRequests": "gpus",
    "Devices": "device",
    "Dns": "dns",
    "DnsOptions": "dns-option",
    "DnsSearch": "dns-search",
    "ExtraHosts": "add-host",
    "GroupAdd": "group-add",
    "Init": "init",
    "IpcMode": "ipc",
    "Links": "link",
    "MemoryReservation": "memory-reservation",
    "MemorySwappiness": "memory-swappiness",
    "OomKillDisable": "oom-kill-disable",
    "OomScoreAdj": "oom-score-adj",
    "PidMode": "pid",
    "PublishAllPorts": "publish-all",
    "StorageOpt": "storage-opt",
    "Sysctls": "sysctl",
    "UTSMode": "uts",
    "UsernsMode": "userns",
    "VolumeDriver": "volume-driver",
    "VolumesFrom": "volumes-from",
}
"""The key in `HostConfig`, and what sets it."""
_USUAL = {"IpcMode": ("private", "shareable"), "MemorySwappiness": (-1,)}
"""What stands there beside nothing where no such option was given."""
_USUAL_SIGNALS = ("SIGTERM", "TERM", "15")


def foreign_options(inspect: Mapping[str, Any], image: Mapping[str, Any] | None) -> dict[str, str]:
    """Return each option that was given, by its name without the dashes, with its value.

    `image` is the `Config` of the image; None where that is not known: what it may have said is
    then left out.
    """
    host: Mapping[str, Any] = inspect.get("HostConfig") or {}
    config: Mapping[str, Any] = inspect.get("Config") or {}
    found = {
        option: host[key]
        for key, option in _OPTION.items()
        if host.get(key) and host[key] not in _USUAL.get(key, ())
    }
    found["security-opt"] = list(_security(host))
    found |= {"tty": config.get("Tty"), "interactive": config.get("OpenStdin")}
    if host.get("NetworkMode") != "host" and not host.get("UTSMode"):
        own = str(inspect.get("Id", ""))[:12]
        name = config.get("Hostname")
        found["hostname"] = name if name != own else None
        found["domainname"] = config.get("Domainname")
    if image is not None:
        found["workdir"] = _beside(_folder(config), _folder(image))
        found["stop-signal"] = _beside(_signal(config), _signal(image))
    return {option: _text(value) for option, value in found.items() if value}


def _security(host: Mapping[str, Any]) -> Iterator[str]:
    known = set(GAINS_NO_PRIVILEGES)
    if host.get("Privileged") or "host" in (host.get("PidMode"), host.get("IpcMode")):
        known.add("label=disable")  # follows from these
    for option in host.get("SecurityOpt") or ():
        name, sign, value = str(option).partition("=")
        if option not in known:  # a profile comes as the whole file
            yield f"{name}={digest(value)}" if "{" in value else f"{name}{sign}{value}"
    if host.get("MaskedPaths") == [] and host.get("ReadonlyPaths") == []:
        yield "systempaths=unconfined"


def _folder(config: Mapping[str, Any]) -> str:
    """An image may say it in another way than the container that Docker has made of it."""
    return normpath("/" + str(config.get("WorkingDir") or "").lstrip("/")).rstrip("/")


def _signal(config: Mapping[str, Any]) -> str:
    signal = str(config.get("StopSignal") or "")
    return "" if signal in _USUAL_SIGNALS else signal


def _beside(found: str, images: str) -> str | None:
    return (found or "none") if found != images else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(sorted(value))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
