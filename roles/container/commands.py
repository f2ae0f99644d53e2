"""How Docker is told: each function returns one command line, word by word."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from roles.container.options import CPU_DECIMALS, NO_HEALTH, Health
from roles.container.spec import PART_LABEL, SPEC_LABEL, ContainerSpec
from roles.observed import Container

IN_PLACE = ("restart", "memory_mb", "memory_swap_mb", "cpus", "pids")
"""The fields that `docker update` changes while the container runs on."""
UPDATED = "/var/lib/dockyard/updated"
_UPDATE = f"""
name=$1 record=$2
shift 2
"$@" >/dev/null || exit
id=$(docker inspect --format '{{{{.Id}}}}' "$name") && mkdir -p {UPDATED} &&
    printf '%s %s\\n' "$id" "$record" >{UPDATED}/".$name" && mv {UPDATED}/".$name" {UPDATED}/"$name"
"""


def run(spec: ContainerSpec) -> list[str]:
    """Create and start; the variables come by stdin, never in a process list."""
    return [
        *("docker", "run", "--detach", "--name", spec.name, "--env-file", "/dev/stdin"),
        *("--label", f"{PART_LABEL}={spec.part}", "--label", f"{SPEC_LABEL}={spec.label}"),
        *_pairs("--label", spec.labels),
        *("--log-driver", spec.log_driver),
        *_pairs("--log-opt", spec.log_options),
        *("--network", spec.network, "--restart", spec.restart),
        *("--stop-timeout", str(spec.stop_timeout_s)),
        *_each("--publish", spec.publish),
        *_each("--volume", spec.volumes),
        *_each("--tmpfs", (f"{p}:{o}" if o else p for p, o in spec.tmpfs.items())),
        *(["--read-only"] if spec.read_only else []),
        *(["--user", spec.user] if spec.user else []),
        *_each("--cap-drop", spec.cap_drop),
        *_each("--cap-add", spec.cap_add),
        *(["--security-opt", "no-new-privileges"] if spec.no_new_privileges else []),
        *(["--memory", f"{spec.memory_mb}m"] if spec.memory_mb else []),
        *(["--cpus", f"{spec.cpus:.{CPU_DECIMALS}f}"] if spec.cpus else []),
        *(["--pids-limit", str(spec.pids)] if spec.pids else []),
        *_pairs("--ulimit", spec.ulimits),
        *_health(spec.health),
        *(["--entrypoint", spec.entrypoint] if spec.entrypoint else []),
        spec.image,
        *(spec.command or ()),
    ]


def update(spec: ContainerSpec, fields: Collection[str] = IN_PLACE) -> list[str]:
    """Change these fields of a container that runs on, and write down on the host that it was us.

    Labels can't be changed. So the record stands in UPDATED, one line in a file of the container's
    name: its ID, and JSON of every field that can be changed so. Of another ID it says nothing.
    """
    applied = {field: spec.applied[field] for field in IN_PLACE}
    record = json.dumps(applied, sort_keys=True)
    return ["sh", "-c", _UPDATE, "update", spec.name, record, *_docker_update(spec, fields)]


def _docker_update(spec: ContainerSpec, fields: Collection[str]) -> list[str]:
    """Memory and swap go together: Docker refuses a memory limit above the one of both.

    A limit on memory or CPUs can't be taken away so: Docker takes 0 for "as it is".
    """
    command = ["docker", "update"]
    if "restart" in fields:
        command += ["--restart", spec.restart]
    if {"memory_mb", "memory_swap_mb"} & set(fields) and spec.memory_mb:
        command += ["--memory", f"{spec.memory_mb}m", "--memory-swap", f"{spec.memory_swap_mb}m"]
    if "cpus" in fields and spec.cpus:
        command += ["--cpus", f"{spec.cpus:.{CPU_DECIMALS}f}"]
    if "pids" in fields:
        command += ["--pids-limit", str(spec.pids or -1)]
    return [*command, spec.name]


def environment_file(spec: ContainerSpec) -> bytes:
    """The variables, and a last line that Docker skips: it tells that they have arrived whole."""
    return "".join(f"{n}={value}\n" for n, value in spec.environment.items()).encode() + b"#end\n"


def restart(name: str, timeout_s: int) -> list[str]:
    return ["docker", "restart", "--time", str(timeout_s), name]


def policy_of(found: Container) -> str:
    """The restart policy that a container was found with, as `--restart` takes it."""
    policy = ((found.inspect or {}).get("HostConfig") or {}).get("RestartPolicy") or {}
    kind, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return f"{kind}:{count}" if count else kind


def signal(name: str, signal: str) -> list[str]:
    return ["docker", "kill", "--signal", signal, name]


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _pairs(option: str, values: Mapping[str, str]) -> list[str]:
    return _each(option, [f"{name}={value}" for name, value in values.items()])


def _health(health: Health | None) -> list[str]:
    if health is None:
        return []
    if health.command == NO_HEALTH:
        return ["--no-healthcheck"]
    return [
        *("--health-cmd", health.command),
        *("--health-interval", f"{health.interval_s}s"),
        *("--health-timeout", f"{health.timeout_s}s"),
        *("--health-retries", str(health.retries)),
        *("--health-start-period", f"{health.start_period_s}s"),
    ]
